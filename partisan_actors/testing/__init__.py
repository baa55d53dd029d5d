"""What users test their own with, on the floor below `cli`; it assumes of the package what any user of it may."""

"""`partisan bench paper`: the experiments of Partisan's paper (USENIX ATC 2019)."""

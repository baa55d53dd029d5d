"""What happened, as values: trace contexts, a recorder of plain tuples, and (only when asked) OpenTelemetry spans.

Floor: above `messages` and `ids`, below everything that acts, so that anybody may record. It knows nobody above it.
Hot paths ask one boolean, `Recorder.enabled`, and append a tuple; `otel` and its parts `otel_*`, which alone import
opentelemetry, are loaded by `tracing.start_tracing` and turn the tuples into spans in a background thread.

`events` is the table of every span and attribute, `records` the tuples, `spans` what they mean.
"""

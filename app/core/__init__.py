"""What web and worker share: plain values in, plain values out; no Flask, no RQ, no config."""

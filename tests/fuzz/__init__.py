"""What comes from outside, made up: no crash, whatever it is. How long a case takes is the benchmarks' business."""

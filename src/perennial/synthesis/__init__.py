"""Programs from examples: engines that look for a program which maps given inputs to given outputs."""

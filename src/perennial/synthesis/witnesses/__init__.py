"""Witness functions: engines that read from the output how a program may have made it."""

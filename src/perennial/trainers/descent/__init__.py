"""The parts of gradient descent, one idea a file: recipe, schedules, optimisers, losses, augmentation,
checkpoints, the machine, and the loop that joins them."""

"""What xpaccel says about itself and about a kernel: values first, text made of them."""

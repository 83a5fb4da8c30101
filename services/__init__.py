"""The services and the kernel they stand on."""

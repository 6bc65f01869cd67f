"""How hard the kernel is to fool: mutated statements, tampered certificates, generated claims."""

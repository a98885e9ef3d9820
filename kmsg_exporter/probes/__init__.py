"""What is traced on this kernel and how: one file per backend, and the plan that picks one."""

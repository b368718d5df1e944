"""Networks of github.com/kuangliu/pytorch-cifar for make_published.py, with its parameters' names."""
MODULES = {}

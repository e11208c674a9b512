"""The commands, one file each; every module defines ``command``."""

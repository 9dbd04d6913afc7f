"""The standard components whose tuning the package is about; one file each."""

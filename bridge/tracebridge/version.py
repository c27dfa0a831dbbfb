"""The version of this distribution: the one place where it is written down; the build reads it here."""

VERSION = "0.2.0"

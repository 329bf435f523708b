#!/usr/bin/env python3
"""Prints the test classes of the given *_test.py, one a line: those that hold or inherit a test of their own module."""

import importlib.util
import os
import sys
import unittest

path = sys.argv[1]
sys.path.insert(0, os.path.dirname(os.path.abspath(path)))
spec = importlib.util.spec_from_file_location("listed", path)
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
for name, value in vars(module).items():
    if isinstance(value, type) and issubclass(value, unittest.TestCase) and value.__module__ == "listed":
        if unittest.defaultTestLoader.getTestCaseNames(value):
            print(name)

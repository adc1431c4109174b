"""The wheel holds shared libraries but no Python extension: one for every Python of the platform."""
from setuptools import Distribution, setup

try:
    from wheel.bdist_wheel import bdist_wheel
except ImportError:  # wheel is part of newer setuptools
    from setuptools.command.bdist_wheel import bdist_wheel


class Wheel(bdist_wheel):
    """py3-none-linux_x86_64"""

    def finalize_options(self):
        super().finalize_options()
        self.root_is_pure = False

    def get_tag(self):
        return "py3", "none", super().get_tag()[2]


class WithLibraries(Distribution):
    """Goes to platlib."""

    def has_ext_modules(self):
        return True


setup(cmdclass={"bdist_wheel": Wheel}, distclass=WithLibraries)

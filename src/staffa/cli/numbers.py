"""Whole numbers that are given to commands."""

from __future__ import annotations

import click


class WholeNumber(click.IntRange):
    """A whole number within bounds, called so where it is refused."""

    name = "whole number"

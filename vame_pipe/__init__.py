"""VAME (Variational Animal Motion Embedding) as a Snakemake workflow."""

__version__ = "0.1.0"

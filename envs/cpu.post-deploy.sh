# Snakemake runs this once it has made the environment (--sdm conda), in the folder of the workflow; editable,
# so that the environment's package is never another than the one whose hash decides what is run again.
pip install --no-deps --editable .

"""Versions of the stages.

If a change makes a stage compute other results, raise its number here in the same commit. The number is
part of the stage's files and of its rule's parameters. So Snakemake runs the stage again, and results of
the old version are not mixed with the new ones. A comment, a docstring or a message changes no version.
tests/golden/ holds numbers of each stage: its test fails if they change and the version does not.
"""

SIMULATE = 2
KEYPOINTS = 2
ALIGN = 6
WINDOWS = 4
TRAIN = 2
ENCODE = 1
SEGMENT = 5
DESCRIBE = 3
LABELS = 2
GROUPS = 5
VIDEOS = 2
QUALITY = 4
UPLOAD = 1
COMPARE = 2
REPORT = 6

"""vame_pipe: pose files -> aligned -> windows -> RNN_VAE -> latents; every training run is in MLflow."""

from snakemake.utils import min_version

min_version("9.27")


# a configuration given by --configfile stands alone
if not workflow.config_settings.configfiles:

    configfile: "config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/demo.smk"
include: "workflow/rules/align.smk"
include: "workflow/rules/windows.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/encode.smk"
include: "workflow/rules/motifs.smk"
include: "workflow/rules/compare.smk"


report: "workflow/report/workflow.rst"


rule all:
    """Latents and motifs of every session by every model, and the report."""
    default_target: True
    input:
        layout.report,
        [
            layout.latents(model, session)
            for model in settings.variants
            for session in settings.sessions
        ],
        [
            layout.motifs(model).session(session)
            for model in settings.variants
            for session in settings.sessions
        ],


onstart:
    start_run()


onerror:
    drop_rejected()

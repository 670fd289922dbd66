"""vame_pipe: pose files -> aligned -> windows -> RNN_VAE -> latents; every training run is in MLflow."""

from snakemake.utils import min_version

min_version("9.27")


include: "workflow/rules/common.smk"
include: "workflow/rules/demo.smk"
include: "workflow/rules/align.smk"
include: "workflow/rules/windows.smk"
include: "workflow/rules/quality.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/encode.smk"
include: "workflow/rules/motifs.smk"
include: "workflow/rules/describe.smk"
include: "workflow/rules/videos.smk"
include: "workflow/rules/groups.smk"
include: "workflow/rules/labels.smk"
include: "workflow/rules/compare.smk"
include: "workflow/rules/external.smk"


report: "workflow/report/workflow.rst"


rule all:
    """Every result: a missing file is made again only if a rule that runs asks for it."""
    default_target: True
    input:
        # not the address of MLflow: if it is lost, no model has to be trained again
        [
            *rules.report.output,
            *rules.compare.output,
            *rules.upload_mlflow.output,
            *rules.windows.output,
            *rules.quality.output,
        ]
        if settings.variants
        else [],
        [layout.external_report(model) for model in settings.external],
        [layout.aligned(session) for session in settings.analysed],
        [layout.quality(session) for session in settings.analysed],
        [
            path
            for model in settings.variants
            for motifs in [layout.motifs(model)]
            for folder in [layout.model(model), motifs, motifs.described, layout.groups(model)]
            for path in folder.outputs
        ],
        [layout.motifs(model).clips for model in settings.variants],
        [layout.motifs(model).videos.root for model in settings.variants if settings.filmed],
        [
            layout.latents(model, session)
            for model in settings.variants
            for session in settings.analysed
        ],
        [
            layout.motifs(model).session(session)
            for model in settings.variants
            for session in settings.analysed
        ],
        [
            path
            for model in settings.variants
            for session in settings.new_sessions
            for path in [
                layout.novelty(model, session),
                layout.motifs(model).bouts_of(session),
                layout.motifs(model).usage_of(session),
            ]
        ],


onstart:
    start_run()


onsuccess:
    show_results()


onerror:
    drop_rejected()

rule upload_mlflow:
    """Upload artifacts, models and latents to MLflow, and whatever it missed while the server was down."""
    input:
        experiment=layout.experiment,
        models=[layout.model(model).weights for model in settings.variants],
        latents=[
            layout.latents(model, session)
            for model in settings.variants
            for session in settings.training_sessions
        ],
        motifs=[path for model in settings.variants for path in layout.motifs(model).outputs],
        described=[
            path for model in settings.variants for path in layout.motifs(model).described.outputs
        ],
        # another group, or a session that is only encoded, changes no model: the next upload sends it
        groups=[ancient(layout.groups(model).facts) for model in settings.variants],
        labels=[
            layout.motifs(model).labelled.facts for model in settings.variants if settings.labelled
        ],
        qc=[layout.quality(session) for session in settings.training_sessions],
    output:
        layout.uploaded,
    log:
        layout.log("upload_mlflow"),
    benchmark:
        layout.benchmark("upload_mlflow")
    conda:
        "../../envs/gpu.yaml"
    resources:
        mem_mb=2000,
    params:
        version=source.UPLOAD,
        results=layout.root,
        models=list(settings.variants),
        # grows with each incomplete upload, so that Snakemake runs this rule again
        failures=lambda wildcards: failures(layout),
    shell:
        r"""
        vame-pipe upload-mlflow {params.results:q} \
            --models {params.models:q} \
            --out {output:q} \
            --log {log:q}
        """


rule compare:
    """Tabulate the models next to PCA, and the similarity of the latents of each pair."""
    input:
        runs=[layout.model(model).run for model in settings.variants],
        latents=rules.upload_mlflow.input.latents,
        motifs=rules.upload_mlflow.input.motifs,
        frames=layout.windows_folder.frames,
        index=layout.windows_folder.index,
        uploaded=layout.uploaded,
    output:
        models=layout.comparison,
        models_csv=report(
            layout.comparison.with_suffix(".csv"),
            caption="../report/compare.rst",
            category="Comparison",
        ),
        similarity=layout.similarity,
        similarity_csv=report(
            layout.similarity.with_suffix(".csv"),
            caption="../report/similarity.rst",
            category="Comparison",
        ),
    log:
        layout.log("compare"),
    benchmark:
        layout.benchmark("compare")
    conda:
        "../../envs/cpu.yaml"
    resources:
        mem_mb=lambda wildcards, input, attempt: attempt * (2000 + 3 * megabytes(*input)),
    params:
        version=source.COMPARE,
        results=layout.root,
        models=list(settings.variants),
    shell:
        r"""
        vame-pipe compare {params.results:q} \
            --models {params.models:q} \
            --runs {input.uploaded:q} \
            --log {log:q}
        """


rule report:
    """Write the report, one self-contained HTML file, and a text for the methods section of a paper."""
    input:
        comparison=layout.comparison,
        similarity=layout.similarity,
        quality=layout.qc,
        runs=rules.compare.input.runs,
        aligned=[layout.aligned(session) for session in settings.analysed],
        qc=[layout.quality(session) for session in settings.analysed],
        latents=[
            layout.latents(model, session)
            for model in settings.variants
            for session in settings.analysed
        ],
        motifs=[
            layout.motifs(model).session(session)
            for model in settings.variants
            for session in settings.analysed
        ],
        motif_quality=rules.upload_mlflow.input.motifs,
        described=rules.upload_mlflow.input.described,
        groups=[layout.groups(model).facts for model in settings.variants],
        labels=rules.upload_mlflow.input.labels,
        videos=[layout.motifs(model).videos.root for model in settings.variants if settings.filmed],
        frames=layout.windows_folder.frames,
        index=layout.windows_folder.index,
        faults=layout.windows_folder.session_faults,
    output:
        page=report(layout.report, caption="../report/report.rst", category="Report"),
        methods=layout.methods,
    log:
        layout.log("report"),
    benchmark:
        layout.benchmark("report")
    conda:
        "../../envs/cpu.yaml"
    resources:
        mem_mb=lambda wildcards, input, attempt: attempt * (2000 + 3 * megabytes(*input)),
    params:
        version=source.REPORT,
        results=layout.root,
        # not part of the command: the report shows the configuration
        config=settings.digest,
        models=list(settings.variants),
    shell:
        r"""
        vame-pipe report {params.results:q} \
            --models {params.models:q} \
            --out {output.page:q} \
            --methods {output.methods:q} \
            --log {log:q}
        """

rule track:
    """Send to MLflow what it lacks: artifacts, registered models, latents, and what a dead server missed."""
    input:
        experiment="<results>/mlflow/experiment.json",
        models=expand("<results>/models/{model}/model.pt", model=settings.variants),
        latents=expand(
            "<results>/latents/{model}/{session}.parquet",
            model=settings.variants,
            session=settings.sessions,
        ),
        qc=expand("<results>/aligned/{session}.qc.json", session=settings.sessions),
    output:
        "<results>/mlflow/tracked.json",
    log:
        "<results>/logs/track.log",
    benchmark:
        "<results>/benchmarks/track.tsv"
    conda:
        "../../envs/gpu.yaml"
    resources:
        mem_mb=2000,
    params:
        source=source_hash("record"),
        results=lambda wildcards: settings.results,
        models=list(settings.variants),
        # changes when something could not be sent: then the next run of the workflow tries again
        failures=lambda wildcards: record.failures(Path(settings.results)),
    shell:
        "vame-pipe track {params.results:q} --models {params.models} --out {output:q} --log {log:q}"


rule compare:
    """One row a model, beside PCA, and the agreement of every two models."""
    input:
        runs=expand("<results>/models/{model}/run.json", model=settings.variants),
        latents=rules.track.input.latents,
        frames="<results>/windows/frames.parquet",
        windows="<results>/windows/windows.parquet",
        tracked="<results>/mlflow/tracked.json",
    output:
        models="<results>/compare.parquet",
        models_csv=report(
            "<results>/compare.csv", caption="../report/compare.rst", category="Comparison"
        ),
        agreement="<results>/agreement.parquet",
        agreement_csv=report(
            "<results>/agreement.csv", caption="../report/agreement.rst", category="Comparison"
        ),
    log:
        "<results>/logs/compare.log",
    benchmark:
        "<results>/benchmarks/compare.tsv"
    conda:
        "../../envs/cpu.yaml"
    resources:
        mem_mb=lambda wildcards, input, attempt: attempt * (2000 + 3 * megabytes(*input)),
    params:
        source=source_hash("compare"),
        results=lambda wildcards: settings.results,
        models=list(settings.variants),
    shell:
        "vame-pipe compare {params.results:q} --models {params.models} --runs {input.tracked:q}"
        " --out {output.models:q} --agreement {output.agreement:q} --log {log:q}"


rule report:
    """One page of all that a reader should see, for a browser without a network."""
    input:
        compare="<results>/compare.parquet",
        agreement="<results>/agreement.parquet",
        runs=rules.compare.input.runs,
        aligned=expand("<results>/aligned/{session}.parquet", session=settings.sessions),
        qc=rules.track.input.qc,
        latents=rules.track.input.latents,
        frames="<results>/windows/frames.parquet",
        windows="<results>/windows/windows.parquet",
        quality="<results>/windows/quality.json",
    output:
        report("<results>/report.html", caption="../report/report.rst", category="Report"),
    log:
        "<results>/logs/report.log",
    benchmark:
        "<results>/benchmarks/report.tsv"
    conda:
        "../../envs/cpu.yaml"
    resources:
        mem_mb=lambda wildcards, input, attempt: attempt * (2000 + 3 * megabytes(*input)),
    params:
        source=source_hash("report"),
        results=lambda wildcards: settings.results,
        sessions=list(settings.sessions),
        models=list(settings.variants),
    shell:
        "vame-pipe report {params.results:q} --sessions {params.sessions} --models {params.models}"
        " --out {output:q} --log {log:q}"

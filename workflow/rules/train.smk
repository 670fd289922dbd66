rule init_mlflow:
    """Create the MLflow experiment once, before training jobs start in parallel."""
    output:
        layout.experiment,
    log:
        layout.log("init_mlflow"),
    benchmark:
        layout.benchmark("init_mlflow")
    conda:
        "../../envs/gpu.yaml"
    resources:
        mem_mb=1000,
    params:
        # functions, because Snakemake would read braces in a plain text as wildcards
        experiment=lambda wildcards: settings.mlflow.experiment,
        uri=lambda wildcards: settings.mlflow.tracking_uri or "",
    shell:
        r"""
        vame-pipe init-mlflow \
            --experiment={params.experiment:q} \
            --tracking-uri={params.uri:q} \
            --out {output:q} \
            --log {log:q}
        """


rule train:
    """Train one model and record it in MLflow."""
    input:
        frames=layout.windows_folder.frames,
        index=layout.windows_folder.index,
        # the tracking server does not affect the model
        experiment=ancient(layout.experiment),
    output:
        model=layout.model("{model}").weights,
        config=layout.model("{model}").config,
        run=layout.model("{model}").run,
        losses=report(
            layout.model("{model}").losses,
            caption="../report/losses.rst",
            category="Models",
            labels={"model": "{model}", "figure": "loss terms"},
        ),
        reconstructions=report(
            layout.model("{model}").reconstructions,
            caption="../report/reconstructions.rst",
            category="Models",
            labels={"model": "{model}", "figure": "reconstructions"},
        ),
        spectrum=report(
            layout.model("{model}").spectrum,
            caption="../report/spectrum.rst",
            category="Models",
            labels={"model": "{model}", "figure": "latent spectrum"},
        ),
    log:
        train=layout.log("train", "{model}"),
        # declared as a log because it is written during training: if it were an output, Snakemake would
        # call it incomplete after a crash and refuse to continue
        metrics=layout.model("{model}").metrics,
    benchmark:
        layout.benchmark("train", "{model}")
    conda:
        "../../envs/gpu.yaml"
    threads: lambda wildcards: useful_threads(settings.variant(wildcards.model)[0])
    resources:
        gpu=lambda wildcards: gpus(wildcards.model),
        mem_mb=lambda wildcards, input, attempt: attempt * (4000 + 3 * megabytes(*input)),
    params:
        version=source.TRAIN,
        sweep=lambda wildcards: settings.entries[wildcards.model],
        variant=lambda wildcards: settings.without_seed(wildcards.model),
        windows=layout.windows_folder.root,
        model=lambda wildcards: settings.variant(wildcards.model)[0].model_dump_json(),
        train=lambda wildcards: settings.variant(wildcards.model)[1].model_dump_json(),
        # not declared as output: Snakemake deletes outputs of failed jobs, but training resumes from here
        checkpoints=lambda wildcards: layout.checkpoints(wildcards.model),
        out=lambda wildcards: layout.model(wildcards.model).root,
    shell:
        r"""
        vame-pipe train \
            --name {wildcards.model:q} \
            --sweep {params.sweep:q} \
            --variant {params.variant:q} \
            --windows {params.windows:q} \
            --model {params.model:q} \
            --train {params.train:q} \
            --mlflow-config {input.experiment:q} \
            --threads {threads:q} \
            --checkpoints {params.checkpoints:q} \
            --out {params.out:q} \
            --log {log.train:q}
        """

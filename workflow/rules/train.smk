rule mlflow:
    """Create the MLflow store and the experiment, once, before trainings fan out."""
    output:
        "<results>/mlflow/experiment.json",
    log:
        "<results>/logs/mlflow.log",
    benchmark:
        "<results>/benchmarks/mlflow.tsv"
    conda:
        "../../envs/gpu.yaml"
    resources:
        mem_mb=1000,
    params:
        # functions: Snakemake looks for wildcards in a plain text with braces
        experiment=lambda wildcards: settings.mlflow.experiment,
        uri=lambda wildcards: settings.mlflow.tracking_uri or "",
    shell:
        "vame-pipe mlflow --experiment={params.experiment:q} --tracking-uri={params.uri:q}"
        " --out {output:q} --log {log:q}"


rule train:
    """Train one model and record it in MLflow."""
    input:
        frames="<results>/windows/frames.parquet",
        windows="<results>/windows/windows.parquet",
        normaliser="<results>/windows/normaliser.json",
        # where a run is recorded does not change the model
        mlflow=ancient("<results>/mlflow/experiment.json"),
    output:
        model="<results>/models/{model}/model.pt",
        config="<results>/models/{model}/config.yaml",
        run="<results>/models/{model}/run.json",
        losses=report(
            "<results>/models/{model}/losses.png",
            caption="../report/losses.rst",
            category="Models",
            labels={"model": "{model}", "figure": "loss terms"},
        ),
        reconstructions=report(
            "<results>/models/{model}/reconstructions.png",
            caption="../report/reconstructions.rst",
            category="Models",
            labels={"model": "{model}", "figure": "reconstructions"},
        ),
        spectrum=report(
            "<results>/models/{model}/spectrum.png",
            caption="../report/spectrum.rst",
            category="Models",
            labels={"model": "{model}", "figure": "latent spectrum"},
        ),
    log:
        train="<results>/logs/train/{model}.log",
        # written as training goes: an output that is there already makes Snakemake refuse to go on
        metrics="<results>/models/{model}/metrics.jsonl",
    benchmark:
        "<results>/benchmarks/train/{model}.tsv"
    conda:
        "../../envs/gpu.yaml"
    threads: lambda wildcards: useful_threads(settings.variant(wildcards.model)[0])
    resources:
        gpu=lambda wildcards: gpus(wildcards.model),
        mem_mb=lambda wildcards, input, attempt: attempt * (4000 + 3 * megabytes(*input)),
    params:
        source=source_hash("train"),
        sweep=lambda wildcards: settings.entries[wildcards.model],
        windows=lambda wildcards, input: os.path.dirname(input.frames),
        model=lambda wildcards: settings.variant(wildcards.model)[0].model_dump_json(),
        train=lambda wildcards: settings.variant(wildcards.model)[1].model_dump_json(),
        out=lambda wildcards, output: os.path.dirname(output.model),
        # not an output: Snakemake deletes those of a job that fails, and a training goes on from here
        resume=lambda wildcards: f"{settings.results}/resume/{wildcards.model}",
    shell:
        "vame-pipe train --name={wildcards.model} --sweep={params.sweep} --windows {params.windows:q} --mlflow {input.mlflow:q}"
        " --model {params.model:q} --train {params.train:q} --threads {threads}"
        " --resume {params.resume:q} --out {params.out:q} --log {log.train:q}"

rule latents:
    """Encode every window of all sessions with one model.

    The windows stand for the aligned recordings, of which they are made, and name the sessions: Snakemake
    keeps a record of inputs and command for each output, and 2,000 with 2,000 inputs each take 2 GB.
    """
    input:
        model="<results>/models/{model}/model.pt",
        frames="<results>/windows/frames.parquet",
    output:
        expand("<results>/latents/{{model}}/{session}.parquet", session=settings.sessions),
    log:
        "<results>/logs/latents/{model}.log",
    benchmark:
        "<results>/benchmarks/latents/{model}.tsv"
    conda:
        "../../envs/gpu.yaml"
    threads: lambda wildcards: useful_threads(settings.variant(wildcards.model)[0])
    resources:
        gpu=lambda wildcards: gpus(wildcards.model),
        # 8 times the largest session, taken for a quarter of all at most
        mem_mb=lambda wildcards, input, attempt: attempt * (2000 + 2 * megabytes(input.frames)),
    params:
        source=source_hash("latents"),
        device=lambda wildcards: settings.variant(wildcards.model)[1].device,
        aligned=lambda wildcards: f"{settings.results}/aligned",
        windows=lambda wildcards, input: os.path.dirname(input.frames),
        out=lambda wildcards, output: os.path.dirname(output[0]),
        # sessions that are done wait here: Snakemake deletes what a job that is stopped has declared
        resume=lambda wildcards: f"{settings.results}/resume/{wildcards.model}+latents",
    shell:
        "vame-pipe latents --model {input.model:q} --aligned {params.aligned:q}"
        " --windows {params.windows:q} --device {params.device} --threads {threads}"
        " --resume {params.resume:q} --out {params.out:q} --log {log:q}"

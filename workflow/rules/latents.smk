rule latents:
    """Encode every window of all sessions with one model."""
    input:
        model="<results>/models/{model}/model.pt",
        aligned=expand("<results>/aligned/{session}.parquet", session=settings.sessions),
    output:
        expand("<results>/latents/{{model}}/{session}.parquet", session=settings.sessions),
    log:
        "<results>/logs/latents/{model}.log",
    benchmark:
        "<results>/benchmarks/latents/{model}.tsv"
    conda:
        "../../envs/gpu.yaml"
    threads: 4
    resources:
        gpu=1,
        # it holds one session at a time
        mem_mb=lambda wildcards, input, attempt: attempt
        * (2000 + 8 * max(map(megabytes, input.aligned))),
    params:
        source=source_hash("latents"),
        device=lambda wildcards: settings.variant(wildcards.model)[1].device,
        sessions=",".join(settings.sessions),
        aligned=lambda wildcards, input: os.path.dirname(input.aligned[0]),
        out=lambda wildcards, output: os.path.dirname(output[0]),
        # sessions that are done wait here: Snakemake deletes what a job that is stopped has declared
        resume=lambda wildcards: f"{settings.results}/resume/{wildcards.model}+latents",
    shell:
        "vame-pipe latents --model {input.model:q} --aligned {params.aligned:q}"
        " --sessions={params.sessions} --device {params.device} --threads {threads}"
        " --resume {params.resume:q} --out {params.out:q} --log {log:q}"

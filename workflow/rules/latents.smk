rule latents:
    """Encode every window of one session with one model."""
    input:
        model="<results>/models/{model}/model.pt",
        aligned="<results>/aligned/{session}.parquet",
    output:
        "<results>/latents/{model}/{session}.parquet",
    log:
        "<results>/logs/latents/{model}/{session}.log",
    benchmark:
        "<results>/benchmarks/latents/{model}/{session}.tsv"
    conda:
        "../../envs/gpu.yaml"
    threads: 4
    resources:
        gpu=1,
        mem_mb=lambda wildcards, input, attempt: attempt * max(2000, int(8 * input.size_mb)),
    params:
        source=source_hash("latents"),
        device=lambda wildcards: settings.variant(wildcards.model)[1].device,
    shell:
        "vame-pipe latents --model {input.model:q} --aligned {input.aligned:q} --device {params.device}"
        " --threads {threads} --out {output:q} --log {log:q}"

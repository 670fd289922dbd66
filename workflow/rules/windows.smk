rule windows:
    """Index the windows of all sessions, split them and measure the normaliser."""
    input:
        expand("<results>/aligned/{session}.parquet", session=settings.sessions),
    output:
        frames="<results>/windows/frames.parquet",
        windows="<results>/windows/windows.parquet",
        normaliser="<results>/windows/normaliser.json",
        quality="<results>/windows/quality.json",
    log:
        "<results>/logs/windows.log",
    benchmark:
        "<results>/benchmarks/windows.tsv"
    conda:
        "../../envs/cpu.yaml"
    resources:
        mem_mb=lambda wildcards, input, attempt: attempt * (1000 + 2 * megabytes(*input)),
    params:
        source=source_hash("windows"),
        settings=lambda wildcards: settings.windows.model_dump_json(),
        sessions=list(settings.sessions),
        aligned=lambda wildcards, input: os.path.dirname(input[0]),
        out=lambda wildcards, output: os.path.dirname(output.frames),
    shell:
        "vame-pipe windows --aligned {params.aligned:q} --sessions {params.sessions}"
        " --settings {params.settings:q} --out {params.out:q} --log {log:q}"

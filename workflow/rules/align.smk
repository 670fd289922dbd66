rule align:
    """Turn the poses of one session into features of the animal's own frame, and judge their quality.

    An unusable recording ends no job, which would take down those that share a scheduler's job with it:
    its file says why, and `windows` stops by it and names all such.

    Whether a recording is aligned again depends on the content of its file: time stamps may lie in the
    future, or be older than those of a file that it replaces.
    """
    input:
        poses=pose_file,
    output:
        aligned="<results>/aligned/{session}.parquet",
        qc="<results>/aligned/{session}.qc.json",
    log:
        "<results>/logs/align/{session}.log",
    benchmark:
        "<results>/benchmarks/align/{session}.tsv"
    conda:
        "../../envs/cpu.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: attempt
        * (1000 + 8 * megabytes(settings.sessions[wildcards.session].poses)),
        runtime=lambda wildcards, attempt: 2 * attempt,  # minutes; those of a batch add up
    params:
        source=source_hash("align"),
        poses=lambda wildcards: settings.sessions[wildcards.session].poses,
        digest=lambda wildcards: pose_digest(wildcards.session),
        fps=lambda wildcards: settings.sessions[wildcards.session].fps,
        # functions, since Snakemake would read wildcards in names with braces
        settings=lambda wildcards: settings.align.model_dump_json(),
        keypoints=lambda wildcards: json.dumps(settings.aliases),
    shell:
        "vame-pipe align --session={wildcards.session} --poses {params.poses:q} --fps {params.fps}"
        " --settings {params.settings:q} --keypoints {params.keypoints:q}"
        " --keep-going --out {output.aligned:q} --qc {output.qc:q} --log {log:q}"

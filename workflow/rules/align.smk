rule keypoints:
    """Leave the keypoints that are badly tracked out of all sessions (`align.drop_bad_keypoints`)."""
    input:
        [path for session in settings.deciding for path in pose_files(session)],
    output:
        layout.keypoints,
    log:
        layout.log("keypoints"),
    benchmark:
        layout.benchmark("keypoints")
    conda:
        "../../envs/cpu.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: attempt
        * (1000 + 8 * max(megabytes(*each.files) for each in settings.deciding.values())),
        runtime=lambda wildcards, attempt: attempt * (10 + len(settings.deciding)),
    params:
        version=source.KEYPOINTS,
        results=layout.root,
        # not part of the command: a change of the content of a file reruns the job
        digest=lambda wildcards: combined([pose_digest(session) for session in settings.deciding]),
        # functions, because Snakemake would read braces in a plain text as wildcards; see `keys_of`
        sessions=lambda wildcards: keys_of(
            settings.deciding, "poses", "fps", "format", "individuals", "starts_s"
        ),
        align=lambda wildcards: settings.align.model_dump_json(),
        keypoints=lambda wildcards: json.dumps(settings.aliases),
    shell:
        r"""
        vame-pipe keypoints {params.results:q} \
            --out {output:q} \
            --log {log:q}
        """


rule align:
    """Convert the poses of one session to egocentric features, and measure the tracking quality.

    If a recording is unusable, the job succeeds and its output contains the reason. A job that fails would
    take down the other sessions of its batch. `windows` reports all such recordings and fails.

    Whether a recording is aligned again depends on the content of its file, not on its time stamp: the new
    version of a file can be older than the one before.
    """
    input:
        lambda wildcards: pose_files(wildcards.session),
        [layout.keypoints] if settings.align.drop_bad_keypoints else [],
    output:
        aligned=layout.aligned("{session}"),
        qc=layout.quality("{session}"),
    log:
        layout.log("align", "{session}"),
    benchmark:
        layout.benchmark("align", "{session}")
    conda:
        "../../envs/cpu.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: attempt
        * (1000 + 8 * megabytes(*settings.sessions[wildcards.session].files)),
        runtime=lambda wildcards, attempt: 2 * attempt,  # minutes; in a batch they add up
    params:
        version=source.ALIGN,
        # not part of the command: a change of the file's content reruns the job
        digest=lambda wildcards: pose_digest(wildcards.session),
        # functions, because Snakemake would read braces in a plain text as wildcards
        poses=lambda wildcards: [f"--poses={p}" for p in settings.sessions[wildcards.session].files],
        starts=lambda wildcards: starts(settings.sessions[wildcards.session]),
        fps=lambda wildcards: frame_rate(settings.sessions[wildcards.session]),
        individuals=lambda wildcards: individuals(settings.sessions[wildcards.session]),
        format=lambda wildcards: settings.sessions[wildcards.session].format or "",
        align=lambda wildcards: settings.align.model_dump_json(),
        keypoints=lambda wildcards: keypoints_option(),
    shell:
        r"""
        vame-pipe align \
            --session {wildcards.session:q} \
            {params.poses:q} {params.starts:q} {params.fps:q} {params.individuals:q} \
            --format={params.format:q} \
            --settings {params.align:q} \
            {params.keypoints:q} \
            --record-failure \
            --out {output.aligned:q} \
            --qc {output.qc:q} \
            --log {log:q}
        """

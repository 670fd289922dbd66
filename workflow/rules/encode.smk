rule encode:
    """Encode every window of the training sessions with one model.

    The frames are the input instead of all aligned sessions, because Snakemake stores inputs and command
    for each output: 2,000 sessions with 2,000 inputs each take 2 GB.
    """
    input:
        model=layout.model("{model}").weights,
        frames=layout.windows_folder.frames,
    output:
        [layout.latents("{model}", session) for session in settings.training_sessions],
    log:
        layout.log("encode", "{model}"),
    benchmark:
        layout.benchmark("encode", "{model}")
    conda:
        "../../envs/gpu.yaml"
    threads: lambda wildcards: useful_threads(settings.variant(wildcards.model)[0])
    resources:
        gpu=lambda wildcards: gpus(wildcards.model),
        # about 8 times the largest session, assuming that none is more than a quarter of the data
        mem_mb=lambda wildcards, input, attempt: attempt * (2000 + 2 * megabytes(input.frames)),
    params:
        version=source.ENCODE,
        aligned=layout.aligned_folder,
        windows=layout.windows_folder.root,
        device=lambda wildcards: settings.variant(wildcards.model)[1].device,
        # finished sessions are kept here, because Snakemake deletes the outputs of interrupted jobs
        scratch=lambda wildcards: layout.encoded(wildcards.model),
        out=lambda wildcards: layout.latents_folder(wildcards.model),
    shell:
        r"""
        vame-pipe encode \
            --model {input.model:q} \
            --aligned {params.aligned:q} \
            --windows {params.windows:q} \
            --device {params.device:q} \
            --threads {threads:q} \
            --scratch {params.scratch:q} \
            --out {params.out:q} \
            --log {log:q}
        """


rule encode_new:
    """Encode one session that no model is trained on (use: encode), and compare it with those that it is.

    If the session cannot be encoded, the job succeeds and its output contains the reason. A job that fails
    would take down the other sessions of its batch. `report` names all such sessions and fails.
    """
    input:
        model=layout.model("{model}").weights,
        aligned=layout.aligned("{session}"),
    output:
        latents=layout.latents("{model}", "{session}"),
        novelty=layout.novelty("{model}", "{session}"),
    log:
        layout.log("encode", "{model}/{session}"),
    benchmark:
        layout.benchmark("encode", "{model}/{session}")
    wildcard_constraints:
        session=any_of(settings.new_sessions),
    conda:
        "../../envs/gpu.yaml"
    threads: lambda wildcards: useful_threads(settings.variant(wildcards.model)[0])
    resources:
        gpu=lambda wildcards: gpus(wildcards.model),
        mem_mb=lambda wildcards, input, attempt: attempt * (2000 + 8 * megabytes(input.aligned)),
        # minutes; in a batch they add up
        runtime=lambda wildcards, input, attempt: attempt * (5 + megabytes(input.aligned)),
    params:
        version=source.ENCODE,
        aligned=layout.aligned_folder,
        device=lambda wildcards: settings.variant(wildcards.model)[1].device,
        out=lambda wildcards: layout.latents_folder(wildcards.model),
    shell:
        r"""
        vame-pipe encode \
            --model {input.model:q} \
            --aligned {params.aligned:q} \
            --sessions {wildcards.session:q} \
            --device {params.device:q} \
            --threads {threads:q} \
            --record-failure \
            --novelty \
            --out {params.out:q} \
            --log {log:q}
        """

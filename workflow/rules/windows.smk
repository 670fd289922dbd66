rule windows:
    """Index the windows of the training sessions, split them and fit the normaliser."""
    input:
        [layout.aligned(session) for session in settings.training_sessions],
    output:
        frames=layout.windows_folder.frames,
        index=layout.windows_folder.index,
        faults=layout.windows_folder.session_faults,
    log:
        layout.log("windows"),
    benchmark:
        layout.benchmark("windows")
    conda:
        "../../envs/cpu.yaml"
    resources:
        mem_mb=lambda wildcards, input, attempt: attempt * (1000 + 2 * megabytes(*input)),
    params:
        version=source.WINDOWS,
        aligned=layout.aligned_folder,
        config=layout.config,
        # not part of the command, see `keys_of`
        sessions=settings.training_sessions,
        windows=lambda wildcards: settings.windows.model_dump_json(),
        min_valid=["--min-valid", settings.qc.min_valid] if settings.qc.min_valid else [],
        out=layout.windows_folder.root,
    shell:
        r"""
        vame-pipe windows \
            --aligned {params.aligned:q} \
            --sessions-from {params.config:q} \
            --settings {params.windows:q} {params.min_valid:q} \
            --out {params.out:q} \
            --log {log:q}
        """

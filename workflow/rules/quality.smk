rule quality:
    """Tabulate the tracking quality of all sessions, with those that are left out and why.

    It needs no model, so the table is there while the first model is still being trained.
    """
    input:
        aligned=[layout.aligned(session) for session in settings.analysed],
        qc=[layout.quality(session) for session in settings.analysed],
        frames=layout.windows_folder.frames,
        index=layout.windows_folder.index,
        faults=layout.windows_folder.session_faults,
    output:
        layout.qc,
    log:
        layout.log("quality"),
    benchmark:
        layout.benchmark("quality")
    conda:
        "../../envs/cpu.yaml"
    resources:
        mem_mb=2000,
    params:
        version=source.QUALITY,
        results=layout.root,
        # not part of the command, see `keys_of`
        sessions=list(settings.analysed),
        # functions, because Snakemake would read braces in a plain text as wildcards
        qc=lambda wildcards: settings.qc.model_dump_json(),
        px_per_cm=lambda wildcards: json.dumps(settings.scales(settings.analysed)),
        excluded=lambda wildcards: json.dumps(settings.excluded),
        groups=lambda wildcards: {n: s.group for n, s in settings.analysed.items() if s.group},
    shell:
        r"""
        vame-pipe quality {params.results:q} \
            --log {log:q}
        """

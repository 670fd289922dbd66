rule videos:
    """Cut clips of the motifs of one model from the videos that sessions name.

    A video that cannot be used is a warning, here and in the report.
    """
    input:
        description=layout.motifs("{model}").described.description,
        bouts=layout.motifs("{model}").described.bouts,
        videos=video_files(),
    output:
        directory(layout.motifs("{model}").videos.root),
    log:
        layout.log("videos", "{model}"),
    benchmark:
        layout.benchmark("videos", "{model}")
    conda:
        "../../envs/cpu.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: attempt * 4000,
    params:
        version=source.VIDEOS,
        # so that clips are cut once the library is installed
        has_library=find_spec("av") is not None,
        results=layout.root,
        # a function, because Snakemake would read braces in a plain text as wildcards; see `keys_of`
        sessions=lambda wildcards: keys_of(
            settings.filmed, "poses", "fps", "format", "individuals", "starts_s", "video"
        ),
    shell:
        r"""
        vame-pipe videos {params.results:q} \
            --model {wildcards.model:q} \
            --out {output:q} \
            --log {log:q}
        """

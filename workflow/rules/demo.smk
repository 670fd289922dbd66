rule demo:
    """Write the simulated recordings that the default configuration uses, and their true motifs."""
    output:
        poses=DEMO_POSES,
        motifs=[path.replace(".csv", ".motifs.csv") for path in DEMO_POSES],
    log:
        "demo/simulate.log",
    benchmark:
        "demo/simulate.tsv"
    conda:
        "../../envs/cpu.yaml"
    resources:
        mem_mb=500,
    params:
        version=source.SIMULATE,
        sessions=DEMO_SESSIONS,
        treated=DEMO_TREATED,
        frames=DEMO_FRAMES,
        fps=DEMO_FPS,
    shell:
        r"""
        vame-pipe simulate demo \
            --sessions {params.sessions:q} \
            --treated {params.treated:q} \
            --frames {params.frames:q} \
            --fps {params.fps:q} \
            --log {log:q}
        """

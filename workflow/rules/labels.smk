rule compare_labels:
    """Compare the motifs and latents of one model with the labels that people gave to sessions.

    The description stands for the motifs of the training sessions.
    """
    input:
        description=layout.motifs("{model}").described.description,
        quality=layout.motifs("{model}").quality,
        motifs=[
            layout.motifs("{model}").session(s)
            for s in settings.labelled
            if s in settings.new_sessions
        ],
        # a path with braces cannot be an input, see `pose_files`
        labels=[s.labels for s in settings.labelled.values() if not re.search("[{}<>]", s.labels)],
    output:
        *layout.motifs("{model}").labelled.outputs,
    log:
        layout.log("compare_labels", "{model}"),
    benchmark:
        layout.benchmark("compare_labels", "{model}")
    conda:
        "../../envs/cpu.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: attempt * 4000,
    params:
        version=source.LABELS,
        results=layout.root,
        # a function, because Snakemake would read braces in a plain text as wildcards; see `keys_of`
        sessions=lambda wildcards: keys_of(settings.labelled, "labels", "subject"),
    shell:
        r"""
        vame-pipe compare-labels {params.results:q} \
            --model {wildcards.model:q} \
            --log {log:q}
        """

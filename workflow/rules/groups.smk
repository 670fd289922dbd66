rule groups:
    """Compare groups of animals by the motifs of one model: tables, figures, a text for a paper.

    The description stands for the motifs of the training sessions.
    """
    input:
        description=layout.motifs("{model}").described.description,
        labels=[layout.motifs("{model}").session(s) for s in settings.new_sessions],
    output:
        *layout.groups("{model}").outputs,
    log:
        layout.log("groups", "{model}"),
    benchmark:
        layout.benchmark("groups", "{model}")
    conda:
        "../../envs/cpu.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: attempt * 4000,
    params:
        version=source.GROUPS,
        results=layout.root,
        # a function, because Snakemake would read braces in a plain text as wildcards; see `keys_of`
        sessions=lambda wildcards: keys_of(
            settings.analysed, "group", "subject", "pair", "px_per_cm"
        ),
    shell:
        r"""
        vame-pipe groups {params.results:q} \
            --model {wildcards.model:q} \
            --log {log:q}
        """

rule describe:
    """Describe the motifs of one model: movement, typical bouts, transitions, names.

    The segmentation stands for the motifs of all training sessions, which the same job writes.
    """
    input:
        segmentation=layout.motifs("{model}").segmentation,
        settings=layout.motifs("{model}").settings,
    output:
        *layout.motifs("{model}").described.outputs,
        clips=directory(layout.motifs("{model}").clips),
    log:
        layout.log("describe", "{model}"),
    benchmark:
        layout.benchmark("describe", "{model}")
    conda:
        "../../envs/cpu.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: attempt * 4000,
    params:
        version=source.DESCRIBE,
        folder=lambda wildcards: layout.motifs(wildcards.model).root,
        latents=lambda wildcards: layout.latents_folder(wildcards.model),
        aligned=layout.aligned_folder,
        names=lambda wildcards: names_json(settings.names_of(wildcards.model)),
        # a function, because Snakemake would read braces in a plain text as wildcards
        skeleton=lambda wildcards: json.dumps(settings.skeleton),
        communities=settings.motifs.communities,
        config=layout.config,
        # not part of the command, see `keys_of`
        px_per_cm=lambda wildcards: json.dumps(settings.scales(settings.training_sessions)),
    shell:
        r"""
        vame-pipe describe {params.folder:q} \
            --model {wildcards.model:q} \
            --latents {params.latents:q} \
            --aligned {params.aligned:q} \
            --names {params.names:q} \
            --skeleton {params.skeleton:q} \
            --communities {params.communities:q} \
            --scales-from {params.config:q} \
            --log {log:q}
        """

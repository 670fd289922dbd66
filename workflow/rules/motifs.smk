rule segment:
    """Find motifs in the latents of the training sessions of one model.

    One file of latents stands for all: they are outputs of one job, and 2,000 sessions with 2,000 inputs
    each would make Snakemake slow.
    """
    input:
        model=layout.model("{model}").weights,
        latents=[layout.latents("{model}", s) for s in settings.training_sessions[:1]],
        frames=layout.windows_folder.frames,
    output:
        *layout.motifs("{model}").outputs,
        sessions=[layout.motifs("{model}").session(s) for s in settings.training_sessions],
    log:
        layout.log("segment", "{model}"),
    benchmark:
        layout.benchmark("segment", "{model}")
    conda:
        "../../envs/cpu.yaml"
    resources:
        mem_mb=lambda wildcards, input, attempt: attempt * (4000 + 2 * megabytes(input.frames)),
    params:
        version=source.SEGMENT,
        latents=lambda wildcards: layout.latents_folder(wildcards.model),
        aligned=layout.aligned_folder,
        windows=layout.windows_folder.root,
        motifs=lambda wildcards: json.dumps(settings.motifs.for_segmentation()),
        out=lambda wildcards: layout.motifs(wildcards.model).root,
    shell:
        r"""
        vame-pipe segment \
            --latents {params.latents:q} \
            --aligned {params.aligned:q} \
            --windows {params.windows:q} \
            --model {input.model:q} \
            --settings {params.motifs:q} \
            --out {params.out:q} \
            --log {log:q}
        """


rule label_new:
    """Assign the motifs of a model to one session that no model is trained on (use: encode)."""
    input:
        segmentation=layout.motifs("{model}").segmentation,
        settings=layout.motifs("{model}").settings,
        latents=layout.latents("{model}", "{session}"),
        aligned=layout.aligned("{session}"),
    output:
        motifs=layout.motifs("{model}").session("{session}"),
        bouts=layout.motifs("{model}").bouts_of("{session}"),
        usage=layout.motifs("{model}").usage_of("{session}"),
    log:
        layout.log("label", "{model}/{session}"),
    benchmark:
        layout.benchmark("label", "{model}/{session}")
    wildcard_constraints:
        session=any_of(settings.new_sessions),
    conda:
        "../../envs/cpu.yaml"
    resources:
        mem_mb=lambda wildcards, input, attempt: attempt * (2000 + 8 * megabytes(input.aligned)),
        runtime=lambda wildcards, attempt: 2 * attempt,  # minutes; in a batch they add up
    params:
        version=source.SEGMENT,
        folder=lambda wildcards: layout.motifs(wildcards.model).root,
    shell:
        r"""
        vame-pipe label \
            --segmentation {params.folder:q} \
            --latents {input.latents:q} \
            --aligned {input.aligned:q} \
            --record-failure \
            --out {output.motifs:q} \
            --log {log:q}
        """

rule fetch_model:
    """Check a model that was trained elsewhere, and copy it and its segmentation into the results folder."""
    input:
        lambda wildcards: settings.external[wildcards.model].files,
    output:
        model=layout.model("{model}").weights,
        segmentation=layout.motifs("{model}").segmentation,
        settings=layout.motifs("{model}").settings,
    log:
        layout.log("fetch_model", "{model}"),
    benchmark:
        layout.benchmark("fetch_model", "{model}")
    wildcard_constraints:
        model=any_of(settings.external),
    conda:
        "../../envs/gpu.yaml"
    resources:
        mem_mb=2000,
    params:
        results=layout.root,
        file=lambda wildcards: settings.external[wildcards.model].file,
        segmentation=lambda wildcards: settings.external[wildcards.model].segmentation or "",
        uri=lambda wildcards: settings.mlflow.tracking_uri or "",
        align=lambda wildcards: settings.align.model_dump_json(),
    shell:
        r"""
        vame-pipe fetch-model {params.results:q} \
            --name {wildcards.model:q} \
            --model={params.file:q} \
            --segmentation={params.segmentation:q} \
            --tracking-uri={params.uri:q} \
            --settings {params.align:q} \
            --log {log:q}
        """


use rule encode_new as encode_external with:
    wildcard_constraints:
        model=any_of(settings.external),
        session=any_of(settings.analysed),


use rule label_new as label_external with:
    wildcard_constraints:
        model=any_of(settings.external),
        session=any_of(settings.analysed),


rule report_external:
    """Write the report of one model that was trained elsewhere, one self-contained HTML file."""
    input:
        settings=layout.motifs("{model}").settings,
        aligned=[layout.aligned(session) for session in settings.analysed],
        latents=[layout.latents("{model}", session) for session in settings.analysed],
        motifs=[layout.motifs("{model}").session(session) for session in settings.analysed],
        usage=[layout.motifs("{model}").usage_of(session) for session in settings.analysed],
    output:
        report(
            layout.external_report("{model}"),
            caption="../report/external.rst",
            category="Report",
        ),
    log:
        layout.log("report_external", "{model}"),
    benchmark:
        layout.benchmark("report_external", "{model}")
    wildcard_constraints:
        model=any_of(settings.external),
    conda:
        "../../envs/cpu.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: attempt * 4000,
    params:
        version=source.REPORT,
        results=layout.root,
        # not part of the command: any change of the configuration is a reason to write it anew
        config=settings.digest,
        names=lambda wildcards: names_json(settings.names_of(wildcards.model)),
    shell:
        r"""
        vame-pipe report-external {params.results:q} \
            --model {wildcards.model:q} \
            --names {params.names:q} \
            --out {output:q} \
            --log {log:q}
        """

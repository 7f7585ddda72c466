-- First-line treatment of metastatic disease is trastuzumab, pertuzumab and a taxane.
-- denominator: first lines, HER2-positive, de novo or more than twelve months after adjuvant HER2-targeted treatment,
-- with chemotherapy, or without endocrine therapy, among what begins in the first days.
with parts as (
    select
        patient_key,
        episode_key,
        min(days_from_start) filter (where is_trastuzumab) as trastuzumab_day,
        min(days_from_start) filter (where is_pertuzumab) as pertuzumab_day,
        min(days_from_start) filter (where is_taxane) as taxane_day,
        min(days_from_start) filter (
            where ingredient = 'trastuzumab-deruxtecan' and first_date >= $deruxtecan_pertuzumab_from
        ) as deruxtecan_day,
        max(first_date) filter (where is_trastuzumab) >= $deruxtecan_pertuzumab_from as trastuzumab_may_be_deruxtecan,
        min(days_from_start) filter (where is_cytotoxic or is_her2_conjugate) as chemotherapy_day,
        min(days_from_start) filter (where is_endocrine) as endocrine_day
    from fct_line_drugs
    where line_number = 1
    group by
        patient_key,
        episode_key
),

judged as (
    select
        l.*,
        m.relapsed_early,
        p.trastuzumab_day,
        p.pertuzumab_day,
        p.taxane_day,
        p.deruxtecan_day,
        coalesce(p.trastuzumab_day <= $component_days, false) as has_trastuzumab,
        coalesce(p.pertuzumab_day <= $component_days, false) as has_pertuzumab,
        coalesce(p.taxane_day <= $component_days, false) as has_taxane,
        coalesce(p.deruxtecan_day <= $component_days, false) as has_deruxtecan,
        coalesce(p.chemotherapy_day <= $component_days, false) as has_chemotherapy_begun,
        coalesce(p.endocrine_day <= $component_days, false) as has_endocrine_begun,
        l.start_date + $component_days as due_date,
        l.start_date + $component_days <= l.observable_through as is_closed,
        not $conjugates_told_apart and p.trastuzumab_may_be_deruxtecan as drug_ambiguous,
        h.weak_date is not null as heart_weak,
        e.episode_key is not null
        and coalesce(l.progression_date >= l.start_date + $component_days, true) as perhaps_progressed,
        -- A HER2-targeted dose since then, if one is lacking on the record, would make the relapse an early one.
        coalesce(
            cast(case when l.clock = 'de-novo' then l.metastatic_date else l.metastatic_date - $clock_days end as date),
            date '0001-01-01'
        ) as history_from
    from fct_lines as l
    inner join fct_line_numbers as m
        on l.episode_key = m.episode_key and l.line_number = m.line_number and m.early_relapse = $early_relapse
    inner join parts as p on l.episode_key = p.episode_key
    left join fct_weak_hearts as h on l.episode_key = h.episode_key and l.line_number = h.line_number
    left join fct_early_changes as e on l.episode_key = e.episode_key
    where l.line_number = 1
)

select
    'line-1' as subject_part,
    patient_key,
    tumour_id,
    site_id,
    episode_key,
    start_date as decision_date,
    due_date,
    start_date + 1 as clock_start,
    history_from as observed_from,
    due_date as drugs_through,
    case
        when outside_metastatic_her2 is not null then outside_metastatic_her2
        when relapsed_early then 'early-relapse'
        when has_endocrine_begun and not has_chemotherapy_begun then 'endocrine-based'
    end as excluded,
    case
        when clock = 'unclear' then 'interval-unclear'
        when drug_ambiguous and has_trastuzumab and has_pertuzumab and not has_taxane and is_closed
            then 'conjugate-not-told-apart'
        when
            perhaps_progressed
            and is_closed
            and not (has_pertuzumab and (has_deruxtecan or (has_trastuzumab and has_taxane)))
            then 'perhaps-progressed'
    end as missing_reason,
    case missing_reason
        when 'interval-unclear' then ['treatments.end_date']
        when 'perhaps-progressed' then ['events.event_date']
        else ['treatments.drug']
    end as missing,
    case
        when has_trastuzumab and has_pertuzumab and has_taxane then 'thp'
        when has_deruxtecan and has_pertuzumab then 'deruxtecan-pertuzumab'
    end as met,
    case
        when in_trial then 'trial'
        when death_date = start_date then 'death-before-due'
        when heart_weak and not (has_trastuzumab and has_pertuzumab) then 'heart'
        when progression_date < due_date then 'progression'
    end as excepted,
    list_concat(
        case when has_trastuzumab then [] else ['trastuzumab'] end,
        list_concat(
            case when has_pertuzumab then [] else ['pertuzumab'] end,
            case when has_taxane then [] else ['taxane'] end
        )
    ) as lacking,
    case
        when not has_trastuzumab then 'trastuzumab-not-recorded'
        when not has_pertuzumab then 'pertuzumab-not-recorded'
        else 'taxane-not-recorded'
    end as failed,
    $component_days - case
        when has_deruxtecan and has_pertuzumab then greatest(deruxtecan_day, pertuzumab_day)
        when trastuzumab_day + pertuzumab_day + taxane_day is not null
            then greatest(trastuzumab_day, pertuzumab_day, taxane_day)
    end as margin_days,
    to_json(struct_pack(
        metastatic_date := metastatic_date,
        disease := disease,
        last_her2_date_before := last_her2_date,
        months_between := interval_months,
        line_start_date := start_date,
        drugs_begun_in_time := first_drugs,
        trastuzumab_on_day := trastuzumab_day,
        pertuzumab_on_day := pertuzumab_day,
        taxane_on_day := taxane_day,
        deruxtecan_on_day := deruxtecan_day,
        drugs_of_the_line := drugs,
        line_certainty := certainty,
        her2_at_line := her2_at_line,
        her2_specimen_date := her2_specimen_date
    )) as evidence
from judged

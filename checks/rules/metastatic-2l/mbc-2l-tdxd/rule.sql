-- The second metastatic line is T-DXd.
-- denominator: lines that count as second, after a line with trastuzumab or an early relapse, without T-DXd before.
with drugs as (
    select
        episode_key,
        line_number,
        bool_or(ingredient = 'trastuzumab') as has_trastuzumab,
        bool_or(ingredient = 'trastuzumab-deruxtecan' and days_from_start <= $component_days) as has_deruxtecan,
        bool_or(ingredient = 'trastuzumab-emtansine' and days_from_start <= $component_days) as has_emtansine,
        bool_or(ingredient = 'tucatinib' and days_from_start <= $component_days) as has_tucatinib,
        bool_or((is_cytotoxic or is_her2_conjugate) and days_from_start <= $component_days) as has_chemotherapy,
        bool_or(is_endocrine and days_from_start <= $component_days) as has_endocrine,
        min(first_date) filter (where ingredient = 'trastuzumab-deruxtecan') as deruxtecan_date,
        min(first_date) filter (where ingredient = 'trastuzumab-emtansine') as emtansine_date,
        min(first_date) filter (where ingredient = 'tucatinib') as tucatinib_date
    from fct_line_drugs
    group by
        episode_key,
        line_number
),

lacks as (
    select distinct l.episode_key
    from fct_lines as l
    inner join stg_exceptions as x on l.patient_key = x.patient_key
    left join fct_episodes as o on x.patient_key = o.patient_key and x.tumour_id = o.tumour_id
    where
        x.reason in ('drug-unavailable', 'funding-restriction')
        and x.topic_name in (
            'mbc-2l-tdxd', 'mbc-early-relapse-second-line', 'trastuzumab-deruxtecan', 'her2-conjugate', 'her2'
        )
        and (x.tumour_id is null or l.episode_key = o.episode_key)
),

judged as (
    select
        l.*,
        m.counts_as_line,
        b.drugs as drugs_before,
        b.progression_date as progression_before,
        b.last_dose_date as last_dose_before,
        coalesce(d.has_trastuzumab, l.line_number = 1) as after_trastuzumab,
        h.first_date as deruxtecan_before,
        n.has_deruxtecan,
        n.has_emtansine,
        n.has_tucatinib,
        n.has_endocrine and not n.has_chemotherapy as is_endocrine_based,
        c.cns_date,
        i.first_date as ild_date,
        w.weak_date,
        k.episode_key is not null as deruxtecan_unavailable,
        least(
            n.deruxtecan_date,
            case when c.cns_date is not null and $brain = 'tucatinib-accepted' then n.tucatinib_date end,
            case when k.episode_key is not null then n.emtansine_date end
        ) as joined_date,
        least(
            f.deruxtecan_date,
            case when c.cns_date is not null and $brain = 'tucatinib-accepted' then f.tucatinib_date end,
            case when k.episode_key is not null then f.emtansine_date end
        ) as changed_date,
        l.line_number = 1
        and a.first_brain_date is not null
        and coalesce(a.first_elsewhere_date > l.start_date + $component_days, true) as relapsed_in_brain_alone,
        coalesce(o.first_date <= l.start_date + $component_days, false) as treated_locally,
        cast(l.start_date + $component_days as date) as due_date
    from fct_lines as l
    inner join fct_line_numbers as m
        on l.episode_key = m.episode_key and l.line_number = m.line_number and m.early_relapse = $early_relapse
    inner join drugs as n on l.episode_key = n.episode_key and l.line_number = n.line_number
    left join fct_lines as b on l.episode_key = b.episode_key and l.line_number = b.line_number + 1
    left join drugs as d on b.episode_key = d.episode_key and b.line_number = d.line_number
    left join fct_prior_her2 as h
        on
            l.episode_key = h.episode_key
            and l.line_number = h.line_number
            and h.ingredient = 'trastuzumab-deruxtecan'
    left join fct_cns as c on l.patient_key = c.patient_key and l.start_date + $component_days >= c.cns_date
    left join fct_weak_hearts as w on l.episode_key = w.episode_key and l.line_number = w.line_number
    left join fct_lung_disease as i on l.patient_key = i.patient_key and l.start_date >= i.first_date
    left join lacks as k on l.episode_key = k.episode_key
    left join drugs as f on l.episode_key = f.episode_key and l.line_number + 1 = f.line_number
    left join fct_spread_of_metastases as a on l.episode_key = a.episode_key
    left join fct_local_metastasis_treatment as o on l.patient_key = o.patient_key
    where m.counts_as_line - 1 = 1
),

answered as (
    select
        *,
        case
            when has_deruxtecan then 'deruxtecan'
            when has_tucatinib and cns_date is not null and $brain = 'tucatinib-accepted' then 'tucatinib-for-brain'
            when has_emtansine and start_date < $default_from then 'emtansine-of-its-day'
            when has_emtansine and deruxtecan_unavailable then 'emtansine-deruxtecan-unavailable'
            when joined_date + $component_days <= observable_through then 'joined-later'
        end as met,
        has_tucatinib and $brain = 'tucatinib-accepted' and not $radiotherapy_linked as lacks_brain_evidence
    from judged
)

select
    'line-' || line_number as subject_part,
    patient_key,
    tumour_id,
    site_id,
    episode_key,
    start_date as decision_date,
    'emtansine' as edition,
    due_date,
    -- Whether a drug joins or replaces all others shows in the days after it.
    greatest(due_date, cast(joined_date + $component_days as date)) as open_until,
    cast(start_date + 1 as date) as clock_start,
    coalesce(diagnosis_date, date '0001-01-01') as observed_from,
    -- A drug that nobody knows, given between the line before (or the relapse) and this one, may be the second line.
    least(
        start_date,
        progression_before,
        cast(last_dose_before + 1 as date),
        case when line_number = 1 then metastatic_date end
    ) as drugs_from,
    due_date as drugs_through,
    case
        when outside_metastatic_her2 is not null then outside_metastatic_her2
        when not after_trastuzumab then 'no-trastuzumab-before'
        when deruxtecan_before is not null then 'deruxtecan-before'
        when met is null and is_endocrine_based then 'endocrine-based'
        when met is null and start_date >= $emtansine_from and start_date < $default_from then 'before-deruxtecan'
    end as excluded,
    case
        when not $conjugates_told_apart then 'conjugate-not-told-apart'
        when met is null and (not number_certain or clock = 'unclear') and due_date <= observable_through
            then 'line-uncertain'
        -- What replaced every drug of the line without a progression on record may belong to it.
        when met is null and ended_by = 'drug-change' and changed_date is not null then 'line-uncertain'
        when met is null and lacks_brain_evidence and due_date <= observable_through then 'brain-unknown'
        -- Where a table of local treatment is not linked, it may hold what excuses disease of the brain alone.
        when
            relapsed_in_brain_alone
            and not treated_locally
            and not ($radiotherapy_linked and $surgeries_linked)
            and met is null
            and joined_date is null
            and due_date <= observable_through then 'local-treatment-unknown'
    end as missing_reason,
    case
        when not $conjugates_told_apart then ['treatments.drug']
        when not number_certain then ['events.event_date']
        when clock = 'unclear' then ['treatments.end_date']
        when changed_date is not null then ['events.event_date']
        when missing_reason = 'brain-unknown' then ['radiotherapy']
        when $radiotherapy_linked then ['surgeries']
        when $surgeries_linked then ['radiotherapy']
        else ['radiotherapy', 'surgeries']
    end as missing,
    met,
    case
        when in_trial then 'trial'
        when ild_date is not null then 'previous-ild'
        when weak_date is not null and not has_her2 then 'heart'
        when death_date = start_date then 'death-before-due'
        when relapsed_in_brain_alone and treated_locally then 'cns-only-local'
        when progression_date < due_date then 'progression'
    end as excepted,
    ['deruxtecan'] as lacking,
    'deruxtecan-not-recorded' as failed,
    to_json(struct_pack(
        line_start := start_date,
        counts_as_line := counts_as_line,
        drugs := first_drugs,
        drugs_of_the_line := drugs,
        drugs_of_the_line_before := drugs_before,
        progression_before := progression_before,
        began_by := began_by,
        last_her2_dose_before_relapse := last_her2_date,
        months_to_relapse := interval_months,
        disease_in_the_brain_since := cns_date,
        interstitial_lung_disease_on := ild_date,
        heart_failure_or_low_lvef_on := weak_date,
        line_certainty := certainty
    )) as evidence
from answered

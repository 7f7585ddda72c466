-- HER2-positive metastatic disease receives HER2-targeted treatment.
-- denominator: episodes, metastatic, HER2-positive, with systemic treatment of it; whether there are metastases must
-- be known.
with low_lvef as (
    select
        patient_key,
        min(assessment_date) as low_date
    from stg_cardiac_assessments
    where lvef_percent < $low_lvef
    group by patient_key
),

-- Treatment without its day may have come first, and so before the rule was in force.
undated as (
    select distinct patient_key
    from fct_undated_doses
),

-- Where the day of diagnosis is missing the line's first dose stands for it.
begun as (
    select
        t.patient_key,
        t.tumour_id,
        t.site_id,
        t.episode_key,
        t.first_systemic_date,
        l.metastatic_date,
        l.start_date,
        l.drugs,
        l.in_trial,
        l.death_date,
        l.progression_date,
        l.her2_at_line,
        l.her2_specimen_date,
        l.observable_through,
        case
            when l.episode_key is not null then l.outside_metastatic_her2
            when not t.invasive then 'in-situ'
            when t.her2_status = 'negative' then 'her2-negative'
        end as outside_metastatic_her2,
        coalesce(l.metastatic_date, l.start_date) as anchor_date
    from fct_tumours as t
    left join fct_lines as l on t.episode_key = l.episode_key and l.line_number = 1
    where
        t.is_index
        and (l.episode_key is not null or (t.m_status = 'unknown' and t.metastatic_date is null))
        and t.first_systemic_date is not null
),

due as (
    select
        *,
        greatest(
            cast(anchor_date + $start_window_days as date), cast(start_date + $line_allowance_days as date)
        ) as due_date
    from begun
),

-- A drug that went on from early disease counts too.
her2_days as (
    select
        episode_key,
        first_date as her2_date
    from fct_line_drugs
    where is_her2
    union all
    select
        d.episode_key,
        s.first_dose_date as her2_date
    from due as d
    inner join fct_drug_spans as s on d.episode_key = s.episode_key
    where s.is_her2 and s.first_dose_date >= least(d.anchor_date, d.start_date)
),

her2_drugs as (
    select
        episode_key,
        min(her2_date) as first_her2_date
    from her2_days
    group by episode_key
),

sites as (
    select
        episode_key,
        list_sort(list(cast(event_date as varchar) || ' ' || coalesce(site, 'site not recorded'))) as metastases
    from fct_metastases
    group by episode_key
),

judged as (
    select
        d.*,
        h.first_her2_date,
        date_diff('day', h.first_her2_date, d.due_date) as days_left,
        coalesce(least(f.first_date, v.low_date) <= d.due_date, false) as heart_weak,
        coalesce(b.first_brain_date <= d.due_date, false)
        and coalesce(b.first_elsewhere_date > d.due_date, true) as brain_alone,
        coalesce(r.first_date <= d.due_date, false) as treated_locally,
        u.episode_key is not null as start_undated,
        w.patient_key is not null as treatment_undated,
        f.first_date as heart_failure_date,
        v.low_date as low_lvef_date,
        s.metastases
    from due as d
    left join her2_drugs as h on d.episode_key = h.episode_key
    left join fct_heart_failure as f on d.patient_key = f.patient_key
    left join low_lvef as v on d.patient_key = v.patient_key
    left join fct_spread_of_metastases as b on d.episode_key = b.episode_key
    left join fct_local_metastasis_treatment as r on d.patient_key = r.patient_key
    left join sites as s on d.episode_key = s.episode_key
    left join undated as w on d.patient_key = w.patient_key
    left join fct_undated_line_starts as u on d.episode_key = u.episode_key
)

select
    patient_key,
    tumour_id,
    site_id,
    episode_key,
    -- The decision is the line's, not the diagnosis.
    coalesce(start_date, first_systemic_date) as decision_date,
    case
        when treatment_undated then coalesce(metastatic_date, date '0001-01-01')
    end as perhaps_decided_from,
    due_date,
    start_date + 1 as clock_start,
    coalesce(metastatic_date, date '0001-01-01') as observed_from,
    due_date as drugs_through,
    nullif(outside_metastatic_her2, 'her2-unknown') as excluded,
    case
        when start_date is null then 'm-unknown'
        when outside_metastatic_her2 = 'her2-unknown' then 'her2-unknown'
        -- Where a table of local treatment is not linked, it may hold what excuses disease of the brain alone.
        when
            brain_alone
            and not treated_locally
            and not ($radiotherapy_linked and $surgeries_linked)
            and coalesce(days_left < 0, true)
            and due_date <= observable_through then 'local-treatment-unknown'
        when start_undated and coalesce(days_left < 0, true) and due_date <= observable_through
            then 'line-start-undated'
    end as missing_reason,
    case
        when start_date is null then ['tumours.clinical_m']
        when outside_metastatic_her2 = 'her2-unknown' then ['receptor_tests.her2_ihc', 'receptor_tests.her2_ish']
        when missing_reason = 'line-start-undated' then ['treatments.start_date']
        when $radiotherapy_linked then ['surgeries']
        when $surgeries_linked then ['radiotherapy']
        else ['radiotherapy', 'surgeries']
    end as missing,
    case when days_left >= 0 then 'her2-therapy' end as met,
    case
        when in_trial then 'trial'
        when death_date = start_date then 'death-before-due'
        when heart_weak then 'heart'
        when brain_alone and treated_locally then 'cns-only-local'
        -- A drug stopped for it, or a metastasis found once staging is over, tells as much as an event.
        when progression_date < due_date then 'progression'
    end as excepted,
    case when first_her2_date is null then 'her2-not-recorded' else 'her2-too-late' end as failed,
    days_left as margin_days,
    case when start_date is not null then to_json(struct_pack(
        metastatic_date := metastatic_date,
        metastases := metastases,
        line_start_date := start_date,
        drugs_of_the_line := drugs,
        first_her2_date := first_her2_date,
        heart_failure_date := heart_failure_date,
        low_lvef_date := low_lvef_date,
        her2_at_line := her2_at_line,
        her2_specimen_date := her2_specimen_date
    )) end as evidence
from judged

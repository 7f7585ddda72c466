-- HER2-directed treatment goes on after chemotherapy until progression or toxicity.
-- denominator: lines with chemotherapy, now stopped, and a HER2 antibody, without progression on chemotherapy.
with drugs as (
    select
        episode_key,
        line_number,
        bool_or(is_cytotoxic) and bool_or(is_her2_antibody) as has_both,
        max(last_date) filter (where is_cytotoxic) as last_cytotoxic_date,
        max(last_date) filter (where ingredient = 'trastuzumab') as last_trastuzumab_date,
        max(last_date) filter (where ingredient = 'pertuzumab') as last_pertuzumab_date
    from fct_line_drugs
    group by
        episode_key,
        line_number
),

her2_days as (
    select
        l.episode_key,
        l.line_number,
        d.last_cytotoxic_date,
        l.dose_date,
        bool_or(l.open_course) as open_course,
        bool_or(l.is_regimen) as is_regimen,
        max(l.stop_reason) filter (where l.stop_reason in ('toxicity', 'patient-refusal')) as stop_reason,
        bool_or(l.stop_reason = 'death') as stopped_for_death,
        lead(l.dose_date) over (partition by l.episode_key, l.line_number order by l.dose_date) as next_date,
        count(*) over (partition by l.episode_key, l.line_number) as day_count
    from drugs as d
    inner join fct_line_days as l on d.episode_key = l.episode_key and d.line_number = l.line_number
    where d.has_both and l.is_her2
    group by
        l.episode_key,
        l.line_number,
        d.last_cytotoxic_date,
        l.dose_date
),

-- The last dose before the first long pause, from the last dose of the time of chemotherapy on.
anchors as (
    select
        episode_key,
        line_number,
        coalesce(max(dose_date) filter (where dose_date <= last_cytotoxic_date), min(dose_date)) as anchor_date
    from her2_days
    group by
        episode_key,
        line_number
),

stops as (
    select
        h.episode_key,
        h.line_number,
        min(h.dose_date) as stop_date
    from her2_days as h
    inner join anchors as a on h.episode_key = a.episode_key and h.line_number = a.line_number
    where
        h.dose_date >= a.anchor_date
        and coalesce(date_diff('day', h.dose_date, h.next_date) > $gap_days, true)
    group by
        h.episode_key,
        h.line_number
),

toxicities as (
    select
        l.episode_key,
        l.line_number,
        min(e.reason) as reason
    from stops as s
    inner join fct_lines as l on s.episode_key = l.episode_key and s.line_number = l.line_number
    inner join fct_toxicity_stops as e on l.episode_key = e.episode_key
    where e.event_date between l.start_date and s.stop_date + $gap_days
    group by
        l.episode_key,
        l.line_number
),

hearts as (
    select
        l.episode_key,
        l.line_number,
        min(a.assessment_date) as low_date
    from stops as s
    inner join fct_lines as l on s.episode_key = l.episode_key and s.line_number = l.line_number
    inner join stg_cardiac_assessments as a on l.patient_key = a.patient_key
    where
        a.lvef_percent < $lvef_low
        and a.assessment_date between s.stop_date - $gap_days and s.stop_date + $gap_days
    group by
        l.episode_key,
        l.line_number
),

-- What forbids HER2 drugs around the stop, whatever action was recorded with it.
harms as (
    select
        l.episode_key,
        l.line_number,
        min(case e.event
            when 'heart_failure' then 'contraindication-cardiac'
            when 'pregnancy' then 'pregnancy'
            else 'toxicity'
        end) as reason
    from stops as s
    inner join fct_lines as l on s.episode_key = l.episode_key and s.line_number = l.line_number
    inner join stg_events as e on l.patient_key = e.patient_key
    where
        e.event in ('heart_failure', 'ild', 'anaphylaxis', 'pregnancy')
        and e.event_date between s.stop_date - $gap_days and s.stop_date + $gap_days
    group by
        l.episode_key,
        l.line_number
),

-- Metastases taken out during the line: treated to cure.
cleared as (
    select distinct
        l.episode_key,
        l.line_number
    from stops as s
    inner join fct_lines as l on s.episode_key = l.episode_key and s.line_number = l.line_number
    inner join stg_surgeries as o on l.patient_key = o.patient_key
    where
        o.procedure = 'metastasectomy'
        and o.surgery_date between l.start_date and s.stop_date + $gap_days
),

-- Radiotherapy of a metastasis around the stop may answer a progression that nobody recorded; a metastasis dated soon
-- after the first line began may be staging, or the progression it was stopped for.
signs as (
    select
        patient_key,
        cast(null as integer) as episode_key,
        start_date as sign_date,
        date '9999-12-31' as lines_before
    from stg_radiotherapy
    where target in ('brain', 'bone', 'other')
    union all
    select
        patient_key,
        episode_key,
        event_date as sign_date,
        event_date as lines_before
    from fct_interruptions
    where kind = 'recurrence'
),

perhaps_progressed as (
    select distinct
        l.episode_key,
        l.line_number
    from stops as s
    inner join fct_lines as l on s.episode_key = l.episode_key and s.line_number = l.line_number
    inner join signs as o on l.patient_key = o.patient_key and l.start_date < o.lines_before
    where
        coalesce(o.episode_key, l.episode_key) = l.episode_key
        and o.sign_date between s.stop_date - $gap_days and s.stop_date + $gap_days
),

-- Where metastases are that are irradiated more often than others, and whether the brain alone has any.
spread as (
    select
        s.episode_key,
        s.line_number,
        bool_or(coalesce(m.site in ('brain', 'bone'), false)) as in_brain_or_bone,
        bool_and(coalesce(m.site = 'brain', false)) as in_brain_alone
    from stops as s
    inner join fct_metastases as m on s.episode_key = m.episode_key
    where m.event_date <= s.stop_date + $gap_days
    group by
        s.episode_key,
        s.line_number
),

judged as (
    select
        l.*,
        d.has_both,
        d.last_cytotoxic_date,
        d.last_pertuzumab_date < d.last_trastuzumab_date - $gap_days as pertuzumab_stopped_first,
        s.stop_date,
        h.next_date,
        h.open_course or h.is_regimen and h.day_count = 1 as end_unknown,
        h.stop_reason,
        h.stopped_for_death and h.next_date is null as stopped_for_death,
        coalesce(x.reason, m.reason) as toxicity,
        o.episode_key is not null as cleared,
        r.episode_key is not null as perhaps_progressed,
        o.episode_key is null
        and coalesce(b.in_brain_or_bone, false)
        and not $radiotherapy_linked as radiotherapy_unseen,
        coalesce(b.in_brain_alone, false) and not $surgeries_linked as operation_unseen,
        c.low_date,
        cast(s.stop_date + $gap_days as date) as due_date
    from fct_lines as l
    inner join drugs as d on l.episode_key = d.episode_key and l.line_number = d.line_number
    left join stops as s on l.episode_key = s.episode_key and l.line_number = s.line_number
    left join her2_days as h
        on s.episode_key = h.episode_key and s.line_number = h.line_number and s.stop_date = h.dose_date
    left join toxicities as x on l.episode_key = x.episode_key and l.line_number = x.line_number
    left join hearts as c on l.episode_key = c.episode_key and l.line_number = c.line_number
    left join harms as m on l.episode_key = m.episode_key and l.line_number = m.line_number
    left join cleared as o on l.episode_key = o.episode_key and l.line_number = o.line_number
    left join spread as b on l.episode_key = b.episode_key and l.line_number = b.line_number
    left join perhaps_progressed as r on l.episode_key = r.episode_key and l.line_number = r.line_number
)

select
    'line-' || line_number as subject_part,
    patient_key,
    tumour_id,
    site_id,
    episode_key,
    coalesce(last_cytotoxic_date, start_date) as decision_date,
    due_date,
    coalesce(metastatic_date, date '0001-01-01') as observed_from,
    start_date as drugs_from,
    due_date as drugs_through,
    case
        when outside_metastatic_her2 is not null then outside_metastatic_her2
        when not has_both then 'no-chemotherapy-with-antibody'
        when next_start_date is null and last_cytotoxic_date + $running_days > observable_through
            then 'chemotherapy-running'
        when progression_date <= last_cytotoxic_date then 'progressed-on-chemotherapy'
    end as excluded,
    case
        when least(progression_date, next_start_date, death_date, observable_through) <= due_date then null
        when stopped_for_death then null
        when end_unknown then 'no-end-date'
        when certainty = 'low' then 'line-uncertain'
        when perhaps_progressed then 'perhaps-progressed'
        -- Where a table of local treatment is not linked, it may hold what answers for the stop.
        when radiotherapy_unseen or operation_unseen then 'local-treatment-unknown'
    end as missing_reason,
    case
        when end_unknown then ['treatments.end_date']
        when certainty = 'low' or perhaps_progressed then ['events.event_date']
        when not operation_unseen then ['radiotherapy']
        when not radiotherapy_unseen then ['surgeries']
        else ['radiotherapy', 'surgeries']
    end as missing,
    case
        when progression_date <= due_date then 'until-progression'
        when next_start_date <= due_date then 'until-next-line'
        when death_date <= due_date or stopped_for_death then 'until-death'
        when observable_through <= due_date then 'continuing-so-far'
    end as met,
    coalesce(
        stop_reason,
        case when in_trial then 'trial' end,
        toxicity,
        case when low_date is not null then 'contraindication-cardiac' end,
        case when cleared then 'metastasectomy' end
    ) as excepted,
    ['antibody'] as lacking,
    'stopped-without-progression' as failed,
    date_diff('day', least(next_date, progression_date, next_start_date, death_date, observable_through), due_date)
        as margin_days,
    true as gate_expected,
    progression_date is not null or death_date is not null as gate_seen,
    case when has_both then to_json(struct_pack(
        line_start := start_date,
        last_cytotoxic_dose := last_cytotoxic_date,
        last_her2_dose_before_the_pause := stop_date,
        next_her2_dose := next_date,
        progression_date := progression_date,
        next_line_start := next_start_date,
        death_date := death_date,
        recorded_stop_reason := stop_reason,
        lvef_below_limit_on := low_date,
        pertuzumab_stopped_before_trastuzumab := pertuzumab_stopped_first,
        drugs := drugs,
        line_certainty := certainty
    )) end as evidence
from judged

-- Endocrine therapy of hormone-receptor-positive early disease goes on for at least five years.
-- denominator: index tumours, HER2-positive, M0, ER- or PR-positive, with endocrine therapy in the first course.
with population as (
    select
        t.*,
        h.hr_status,
        p.observable_through,
        p.birth_earliest
    from fct_tumours as t
    inner join fct_hormone_receptors as h on t.patient_key = h.patient_key and t.tumour_id = h.tumour_id
    inner join stg_patients as p on t.patient_key = p.patient_key
    where t.is_index
),

rows_given as (
    select
        e.*,
        max(e.through_date) over (
            partition by e.episode_key
            order by e.start_date, e.through_date, e.ingredient
            rows between unbounded preceding and 1 preceding
        ) as earlier_through
    from population as p
    inner join fct_endocrine as e on p.episode_key = e.episode_key
    where
        not e.palliative
        and not e.on_recurrence
        and e.start_date >= coalesce(p.diagnosis_date - $before_diagnosis_days, e.start_date)
),

stretches as (
    select
        *,
        sum(case when date_diff('day', earlier_through, start_date) > $max_gap_days then 1 else 0 end) over (
            partition by episode_key
            order by start_date, through_date, ingredient
            rows between unbounded preceding and current row
        ) as stretch_number
    from rows_given
),

last_chemotherapy as (
    select
        episode_key,
        max(dose_date) as last_chemotherapy_date
    from fct_first_course_chemotherapy
    group by episode_key
),

bounded as (
    select
        s.*,
        c.last_chemotherapy_date,
        max(s.through_date) over (partition by s.episode_key, s.stretch_number) as stretch_through,
        max(s.stretch_number) over (partition by s.episode_key) as last_stretch
    from stretches as s
    left join last_chemotherapy as c on s.episode_key = c.episode_key
),

-- What ended before chemotherapy did, and was taken up again only long afterwards, bridged the time to it.
given as (
    select
        *,
        min(start_date) over (partition by episode_key) as first_date,
        max(through_date) over (
            partition by episode_key
            order by start_date, through_date, ingredient
            rows between unbounded preceding and 1 preceding
        ) as reached_before
    from bounded
    where stretch_number = last_stretch or coalesce(stretch_through >= last_chemotherapy_date, true)
),

counted as (
    select
        *,
        least(through_date, first_date + $due_days - 1) as counted_through,
        greatest(start_date, coalesce(reached_before + 1, start_date)) as newly_covered_from,
        date_diff('day', reached_before, start_date) as gap_days,
        max(through_date) over (partition by episode_key) as reached,
        sum(case when date_diff('day', reached_before, start_date) > $max_gap_days then 1 else 0 end) over (
            partition by episode_key
            order by start_date, through_date, ingredient
            rows between unbounded preceding and current row
        ) as span_number
    from given
    where start_date < first_date + $due_days
),

spans as (
    select
        episode_key,
        date_diff('day', min(start_date), max(counted_through)) + 1 as span_days
    from counted
    group by
        episode_key,
        span_number
),

longest as (
    select
        episode_key,
        max(span_days) as span_days
    from spans
    group by episode_key
),

therapies as (
    select
        c.episode_key,
        min(c.first_date) as first_endocrine_date,
        max(c.counted_through) as last_endocrine_date,
        count(*) as endocrine_rows,
        list_sort(list(distinct c.ingredient)) as drugs,
        max(c.gap_days) as longest_gap_days,
        sum(greatest(date_diff('day', c.newly_covered_from, c.counted_through) + 1, 0)) as covered_days,
        bool_or(c.open_course) as open_course,
        bool_or(c.end_recorded) as end_recorded,
        bool_or(c.in_trial) as in_trial,
        coalesce(
            max(c.stop_reason) filter (where c.through_date = c.reached),
            max(c.stop_reason) filter (where c.stop_reason = 'progression')
        ) as stop_reason
    from counted as c
    group by c.episode_key
),

interrupted as (
    select distinct t.episode_key
    from therapies as t
    inner join fct_interruptions as i on t.episode_key = i.episode_key
    where
        i.event_date >= t.first_endocrine_date
        and i.event_date < t.first_endocrine_date + $due_days
),

decisions as (
    select distinct p.episode_key
    from population as p
    inner join stg_exceptions as x on p.patient_key = x.patient_key
    left join fct_episodes as o on x.patient_key = o.patient_key and x.tumour_id = o.tumour_id
    left join ingredients as i on x.topic_name = i.ingredient
    where
        x.reason in ('mdt-documented-deviation', 'frailty-documented')
        and (x.tumour_id is null or o.episode_key = p.episode_key)
        and (x.topic_name in ('endocrine-five-years', 'endocrine') or i.is_endocrine)
),

clocked as (
    select
        p.*,
        t.first_endocrine_date,
        t.last_endocrine_date,
        t.endocrine_rows,
        t.drugs,
        t.longest_gap_days,
        t.open_course,
        t.end_recorded,
        t.in_trial,
        t.stop_reason,
        l.span_days,
        t.first_endocrine_date + $due_days as due_date,
        i.episode_key is null and t.first_endocrine_date + $due_days <= p.observable_through as fully_observed,
        d.episode_key is not null as decision_documented,
        case $target
            when '60-months' then l.span_days >= $due_days
            when 'possession' then t.covered_days >= $possession_share * $due_days
            else l.span_days >= $min_days
        end as reached
    from population as p
    left join therapies as t on p.episode_key = t.episode_key
    left join longest as l on p.episode_key = l.episode_key
    left join interrupted as i on p.episode_key = i.episode_key
    left join decisions as d on p.episode_key = d.episode_key
),

judged as (
    select
        *,
        decision_documented
        and extract(year from due_date) - extract(year from birth_earliest) - case
            when extract(month from due_date) < extract(month from birth_earliest) then 1
            when
                extract(month from due_date) = extract(month from birth_earliest)
                and extract(day from due_date) < extract(day from birth_earliest) then 1
            else 0
        end > $old_years as decided_in_old_age
    from clocked
)

select
    'endocrine-years' as subject_part,
    patient_key,
    tumour_id,
    site_id,
    episode_key,
    first_endocrine_date as decision_date,
    due_date,
    first_endocrine_date as clock_start,
    coalesce(diagnosis_date, date '0001-01-01') as observed_from,
    due_date as drugs_through,
    case
        when outside_early_her2 is not null then outside_early_her2
        when hr_status = 'negative' then 'hr-negative'
        when first_endocrine_date is null then 'no-endocrine'
    end as excluded,
    case
        when hr_status = 'unknown' then 'hr-unknown'
        when reached or not fully_observed then null
        when open_course then 'no-end-date'
        when endocrine_rows = 1 and not end_recorded then 'no-refills'
    end as missing_reason,
    case missing_reason
        when 'hr-unknown' then ['tumours.er_status', 'tumours.pr_status']
        when 'no-end-date' then ['treatments.end_date']
        when 'no-refills' then ['treatments.end_date']
    end as missing,
    case when reached then 'five-years' end as met,
    case
        when stop_reason in ('toxicity', 'patient-refusal', 'progression') then stop_reason
        when stop_reason = 'death' then 'death-before-due'
        when in_trial then 'trial'
        when decided_in_old_age then 'documented-decision-over-80'
    end as excepted,
    ['endocrine'] as lacking,
    'stopped-before-target' as failed,
    case $target when '60-months' then span_days - $due_days when '54-months' then span_days - $min_days end
        as margin_days,
    excluded is null and fully_observed as gate_expected,
    endocrine_rows > 1 or end_recorded as gate_seen,
    case when excluded is null then to_json(struct_pack(
        first_endocrine_date := first_endocrine_date,
        last_endocrine_date := last_endocrine_date,
        drugs := array_to_string(drugs, ', '),
        endocrine_rows := endocrine_rows,
        longest_span_days := span_days,
        longest_gap_days := longest_gap_days,
        recorded_stop_reason := stop_reason,
        her2_basis := her2_basis
    )) end as evidence
from judged

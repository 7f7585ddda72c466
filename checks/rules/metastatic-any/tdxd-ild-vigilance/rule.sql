-- Trastuzumab deruxtecan is not given again after ILD of grade 2 or more; chest CTs are shown for information.
-- denominator: episodes with three or more T-DXd doses, or with ILD since the patient's first one.
with doses as (
    select
        patient_key,
        episode_key,
        dose_date,
        bool_and(derived) as derived,
        bool_or(open_course) as open_course,
        bool_or(in_trial) as in_trial
    from fct_doses
    where ingredient = 'trastuzumab-deruxtecan'
    group by
        patient_key,
        episode_key,
        dose_date
),

courses as (
    select
        patient_key,
        episode_key,
        min(dose_date) as first_date,
        max(dose_date) as last_date,
        max(dose_date) filter (where not derived) as last_exact_date,
        count(*) as dose_count,
        bool_or(open_course) as open_course,
        min(dose_date) filter (where open_course) as open_since,
        bool_or(in_trial) as in_trial,
        list_sort(list(cast(dose_date as varchar))) as days
    from doses
    group by
        patient_key,
        episode_key
),

begun as (
    select
        patient_key,
        min(first_date) as first_date
    from courses
    group by patient_key
),

-- ILD of the patient since the first T-DXd, whichever tumour the row names, against each course.
suspicions as (
    select
        c.episode_key,
        e.event_date,
        e.grade,
        c.last_exact_date > e.event_date as given_after,
        coalesce(
            c.last_date > e.event_date
            or (c.open_since <= e.event_date and not coalesce(e.action like '%stopped%', false)),
            false
        ) as may_be_given_after,
        'grade ' || coalesce(cast(e.grade as varchar), 'not recorded') || ' on ' || cast(e.event_date as varchar)
        || coalesce(' (' || e.action || ')', '') as says
    from courses as c
    inner join begun as b on c.patient_key = b.patient_key
    inner join stg_events as e on c.patient_key = e.patient_key
    where e.event = 'ild' and e.event_date >= b.first_date
),

lungs as (
    select
        episode_key,
        bool_or(grade >= $stop_grade and given_after) as given_again,
        bool_or(grade is null and may_be_given_after) as ungraded,
        bool_or(grade >= $stop_grade and may_be_given_after) as may_be_given_again,
        bool_or(grade < $stop_grade and may_be_given_after) as grade_1_continued,
        list_sort(list(says)) as says
    from suspicions
    group by episode_key
),

scans as (
    select
        c.episode_key,
        c.first_date,
        i.imaging_date
    from courses as c
    inner join stg_imaging as i on c.patient_key = i.patient_key
    where
        i.modality = 'ct_chest'
        and i.imaging_date between c.first_date - $baseline_before_days
        and greatest(c.last_date, c.first_date + $baseline_after_days)
),

baselines as (
    select
        episode_key,
        list_sort(list(cast(imaging_date as varchar))) as days,
        bool_or(imaging_date <= first_date + $baseline_after_days) as at_baseline
    from scans
    group by episode_key
),

marks as (
    select
        episode_key,
        imaging_date as day
    from scans
    where imaging_date > first_date
    union all
    select
        episode_key,
        first_date as day
    from courses
    union all
    select
        episode_key,
        last_date as day
    from courses
),

gaps as (
    select
        episode_key,
        date_diff('day', lag(day) over (partition by episode_key order by day), day) as gap_days
    from marks
),

intervals as (
    select
        episode_key,
        max(gap_days) as longest_days
    from gaps
    group by episode_key
),

links as (
    select
        bool_or(linked) filter (where table_name = 'events') as events_linked,
        bool_or(linked) filter (where table_name = 'imaging') as imaging_linked
    from load_counts
),

sites_with_events as (
    select distinct
        t.site_id,
        true as linked
    from tumours as t
    inner join events as e on t.patient_id = e.patient_id
),

judged as (
    select
        t.patient_key,
        t.tumour_id,
        t.site_id,
        t.episode_key,
        c.first_date,
        c.last_date,
        c.dose_count,
        c.open_course,
        c.in_trial,
        c.days,
        p.death_date is null and c.last_date + $running_days > p.observable_through as running,
        l.episode_key is not null as suspected,
        coalesce(l.given_again, false) as given_again,
        l.ungraded,
        l.may_be_given_again,
        l.grade_1_continued,
        l.says as ild,
        b.days as scan_days,
        coalesce(b.at_baseline, false) as at_baseline,
        i.longest_days,
        k.events_linked,
        k.imaging_linked,
        s.linked is not null as site_has_events
    from fct_tumours as t
    inner join stg_patients as p on t.patient_key = p.patient_key
    left join courses as c on t.episode_key = c.episode_key
    left join lungs as l on t.episode_key = l.episode_key
    left join baselines as b on t.episode_key = b.episode_key
    left join intervals as i on t.episode_key = i.episode_key
    left join sites_with_events as s on t.site_id is not distinct from s.site_id
    cross join links as k
    where t.is_index
)

select
    patient_key,
    tumour_id,
    site_id,
    episode_key,
    first_date as decision_date,
    case when not given_again then last_date + $running_days end as due_date,
    last_date as observed_from,
    case
        when first_date is null then 'no-her2-therapy'
        when in_trial then 'trial'
        when dose_count < $least_doses and not open_course and not suspected then 'few-doses'
    end as excluded,
    case
        when not (events_linked and imaging_linked) then 'stream-not-linked'
        when given_again then null
        when ungraded then 'grade-not-recorded'
        when may_be_given_again then 'days-not-recorded'
        when dose_count < $least_doses and not suspected then 'days-not-recorded'
    end as missing_reason,
    case
        when not events_linked and not imaging_linked then ['events', 'imaging']
        when not events_linked then ['events']
        when not imaging_linked then ['imaging']
        when ungraded then ['events.grade']
        else ['treatments.end_date']
    end as missing,
    case
        when given_again or running then null
        when grade_1_continued then 'flag-grade-1-continued'
        when not at_baseline then 'flag-no-baseline-scan'
        when longest_days > $imaging_interval_days then 'flag-scans-far-apart'
        else 'watched'
    end as met,
    ['ild'] as lacking,
    'given-after-ild' as failed,
    first_date is not null and not in_trial as gate_expected,
    site_has_events as gate_seen,
    case
        when first_date is not null
            then to_json(struct_pack(
                doses := dose_count,
                first_dose_date := first_date,
                last_dose_date := last_date,
                dose_days := case when suspected then days end,
                ild := ild,
                chest_cts := scan_days,
                longest_days_without_ct := longest_days
            ))
    end as evidence
from judged

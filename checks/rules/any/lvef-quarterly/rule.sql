-- The heart is measured at least every three months while HER2-targeted treatment goes on.
-- denominator: courses of HER2 antibody, T-DM1 or T-DXd treatment that are long enough.
with undated as (
    select
        d.patient_key,
        count(distinct d.row_number) as undated_rows,
        bool_or(d.is_course) as any_course
    from fct_undated_doses as d
    inner join ingredients as i on d.ingredient = i.ingredient
    where i.is_her2_antibody or (i.is_her2_conjugate and not i.outside_guideline)
    group by d.patient_key
),

courses as (
    select
        patient_key,
        episode_key,
        setting,
        course_number,
        min(dose_date) as first_dose_date,
        min(case when not in_sequence then dose_date end) as first_known_date,
        max(dose_date) as last_dose_date,
        bool_or(derived) as derived,
        bool_or(open_course)
        or (count(*) filter (where is_regimen) = 1 and max(case when is_regimen then dose_date end) = max(dose_date))
            as unended
    from fct_her2_days
    group by
        patient_key,
        episode_key,
        setting,
        course_number
),

-- A dose without its day may be the first one: each carries the beginning back by no more than a gap in a course.
numbered as (
    select
        c.*,
        row_number() over (partition by c.episode_key order by c.first_dose_date, c.setting) as place,
        date_diff('day', c.first_dose_date, c.last_dose_date) + $three_weekly_days < $least_exposure_days as is_short,
        case
            when u.any_course then date '0001-01-01'
            else cast(c.first_dose_date - cast(u.undated_rows * $course_gap_days as integer) as date)
        end as perhaps_from
    from courses as c
    left join undated as u on c.patient_key = u.patient_key
),

-- A dose comes before an assessment of its own day, which is too late for it.
days as (
    select
        episode_key,
        setting,
        dose_date as day,
        course_number,
        in_sequence,
        cast(null as date) as assessment_date
    from fct_her2_days
    union all
    select
        s.episode_key,
        s.setting,
        a.assessment_date as day,
        cast(null as bigint) as course_number,
        false as in_sequence,
        a.assessment_date
    from fct_her2_settings as s
    inner join stg_cardiac_assessments as a on s.patient_key = a.patient_key
),

followed as (
    select
        *,
        max(assessment_date) over (
            partition by episode_key, setting
            order by day, assessment_date nulls first
            rows between unbounded preceding and current row
        ) as last_assessment_date
    from days
),

-- How long before the first dose the heart was measured is a matter of the baseline.
waits as (
    select
        c.episode_key,
        c.setting,
        c.course_number,
        f.day,
        case
            when f.last_assessment_date >= c.first_dose_date - $lvef_baseline_days then f.last_assessment_date
            else c.first_dose_date
        end as since_date,
        -- A regimen's name tells neither that the drug was given on this day nor since when.
        not f.in_sequence
        and (
            c.first_known_date = c.first_dose_date
            or coalesce(f.last_assessment_date >= c.first_known_date - $lvef_baseline_days, false)
        )
        and (c.setting = 'curative' or coalesce(f.day <= c.perhaps_from + $metastatic_days, true)) as is_known
    from numbered as c
    inner join followed as f
        on c.episode_key = f.episode_key and c.setting = f.setting and c.course_number = f.course_number
    where
        not c.is_short
        and f.day > c.first_dose_date
        and (c.setting = 'curative' or f.day <= c.first_dose_date + $metastatic_days)
),

intervals as (
    select
        episode_key,
        setting,
        course_number,
        since_date,
        date_diff('day', since_date, max(day)) as waited_days,
        date_diff('day', since_date, max(case when is_known then day end)) as known_days,
        case when $interval = '98-days' then $strict_days else $max_interval_days end as limit_days
    from waits
    group by
        episode_key,
        setting,
        course_number,
        since_date
),

totals as (
    select
        episode_key,
        setting,
        course_number,
        max(waited_days) as longest_days,
        max(limit_days) as limit_days,
        count(*) as intervals,
        count(*) filter (where waited_days > limit_days) as too_long,
        bool_or(coalesce(known_days > limit_days, false)) as known_too_long,
        min(since_date) filter (where waited_days > limit_days) as first_too_long_date,
        max(since_date) as last_since_date
    from intervals
    group by
        episode_key,
        setting,
        course_number
),

assessments as (
    select
        c.episode_key,
        c.setting,
        c.course_number,
        count(distinct a.assessment_date) filter (where a.assessment_date <= c.first_dose_date + $year_days)
            as in_first_year,
        max(a.assessment_date) filter (where a.assessment_date <= c.last_dose_date + $running_days) as last_date,
        list_sort(list(distinct cast(a.assessment_date as varchar))) as assessment_dates
    from numbered as c
    inner join stg_cardiac_assessments as a on c.patient_key = a.patient_key
    where
        a.assessment_date between c.first_dose_date - $lvef_baseline_days
        and greatest(c.first_dose_date + $year_days, c.last_dose_date + $running_days)
        and not c.is_short
    group by
        c.episode_key,
        c.setting,
        c.course_number
),

recorded as (
    select
        patient_key,
        max(span_days) > 0 as imprecise
    from stg_cardiac_assessments
    group by patient_key
),

judged as (
    select
        t.patient_key,
        t.tumour_id,
        t.site_id,
        t.episode_key,
        t.invasive,
        c.setting,
        c.place,
        c.first_dose_date,
        c.perhaps_from,
        c.last_dose_date,
        c.derived,
        c.unended,
        c.is_short,
        m.longest_days,
        m.limit_days,
        m.intervals,
        m.too_long,
        m.known_too_long,
        m.first_too_long_date,
        coalesce(m.first_too_long_date, greatest(m.last_since_date, a.last_date)) + m.limit_days as due_date,
        coalesce(m.too_long > 0, false) as fails,
        coalesce($interval = 'any-regular' and a.in_first_year >= $regular_studies, false) as regular,
        p.death_date is null and date_diff('day', c.last_dose_date, p.observable_through) <= $running_days as running,
        a.assessment_dates,
        r.patient_key is not null as seen,
        coalesce(r.imprecise, false) as imprecise
    from fct_tumours as t
    inner join stg_patients as p on t.patient_key = p.patient_key
    left join numbered as c on t.episode_key = c.episode_key
    left join totals as m
        on c.episode_key = m.episode_key and c.setting = m.setting and c.course_number = m.course_number
    left join assessments as a
        on c.episode_key = a.episode_key and c.setting = a.setting and c.course_number = a.course_number
    left join recorded as r on t.patient_key = r.patient_key
    where t.is_index
)

select
    'her2-course-' || cast(coalesce(place, 1) as varchar) as subject_part,
    patient_key,
    tumour_id,
    site_id,
    episode_key,
    first_dose_date as decision_date,
    perhaps_from as perhaps_decided_from,
    due_date,
    case when fails then first_dose_date else last_dose_date + $running_days + 1 end as open_until,
    case
        when first_too_long_date > first_dose_date then first_too_long_date
        else coalesce(least(first_too_long_date, perhaps_from), first_dose_date)
    end as observed_from,
    case
        when first_dose_date is null then 'no-her2-antibody-or-conjugate'
        when not invasive then 'in-situ'
        when is_short and not unended then 'short-course'
    end as excluded,
    case
        when regular then null
        when fails and imprecise then 'imprecise-date'
        when fails and not known_too_long then 'days-not-recorded'
        when unended and not fails then 'no-end-date'
    end as missing_reason,
    case missing_reason
        when 'imprecise-date' then ['cardiac_assessments.assessment_date']
        when 'days-not-recorded' then ['treatments.start_date']
        else ['treatments.end_date']
    end as missing,
    case
        when regular then 'regular'
        when not fails and not running then 'in-time'
    end as met,
    case when fails then ['monitoring'] else cast([] as varchar[]) end as lacking,
    'interval-too-long' as failed,
    limit_days - longest_days as margin_days,
    not is_short and invasive as gate_expected,
    seen as gate_seen,
    case when excluded is null then to_json(struct_pack(
        first_dose_date := first_dose_date,
        last_dose_date := last_dose_date,
        setting := setting,
        assessment_dates := assessment_dates,
        intervals_with_doses := intervals,
        intervals_too_long := too_long,
        longest_days_from_assessment_to_dose := longest_days,
        derived_from_course_dates := derived
    )) end as evidence
from judged

-- Three to six cycles of pertuzumab with trastuzumab are given before surgery.
-- denominator: neoadjuvant courses with trastuzumab and pertuzumab, HER2-positive, M0, followed by definitive surgery.
with courses as (
    select
        t.*,
        u.tumour_id is not null as surgery_unclear,
        u.missing as unclear_columns,
        coalesce(t.first_surgery_date, u.latest_date, date '9999-12-31') as before_date
    from fct_tumours as t
    left join fct_unclear_surgeries as u on t.patient_key = u.patient_key and t.tumour_id = u.tumour_id
    where t.is_index
),

before_surgery as (
    select
        c.episode_key,
        a.*,
        case when a.has_pertuzumab then a.dose_date end as pertuzumab_date
    from courses as c
    inner join fct_antibody_days as a on c.episode_key = a.episode_key
    where c.pathway = 'neoadjuvant' and a.dose_date < c.before_date
),

antibodies as (
    select
        episode_key,
        bool_or(has_trastuzumab) as has_trastuzumab,
        min(pertuzumab_date) as first_pertuzumab_date,
        bool_or(pertuzumab_open or pertuzumab_in_sequence)
        or count(*) filter (where has_pertuzumab and is_regimen) = 1 as cycles_not_counted,
        bool_or(pertuzumab_derived) as derived,
        min(dose_date) filter (where pertuzumab_derived) as first_derived_date,
        max(dose_date) filter (where pertuzumab_derived) as last_derived_date,
        list_sort(list(cast(pertuzumab_date as varchar)) filter (where pertuzumab_date is not null)) as pertuzumab_days,
        max(pertuzumab_stop) filter (
            where pertuzumab_stop in ('toxicity', 'patient-refusal', 'progression')
        ) as pertuzumab_stop,
        max(trastuzumab_stop) filter (
            where trastuzumab_stop in ('toxicity', 'patient-refusal', 'progression')
        ) as trastuzumab_stop
    from before_surgery
    group by episode_key
),

-- Single doses within the dates of a course may be the doses that the course stands for.
recorded_twice as (
    select distinct b.episode_key
    from before_surgery as b
    inner join antibodies as a on b.episode_key = a.episode_key
    where b.pertuzumab_single and b.dose_date between a.first_derived_date and a.last_derived_date
),

-- A course that runs on after the operation says of its first day alone that a dose came before it.
pertuzumab_doses as (
    select
        c.episode_key,
        d.dose_date,
        d.begins,
        d.derived and d.end_date < c.before_date as in_ended_course,
        d.derived and d.end_date >= c.before_date as in_running_course,
        cast(floor(date_diff('day', d.dose_date, c.before_date - 1) / $merge_days) as integer) as cycles_until_surgery
    from courses as c
    inner join fct_doses as d on c.episode_key = d.episode_key
    where d.setting = 'curative' and d.ingredient = 'pertuzumab' and d.dose_date < c.before_date
),

running as (
    select
        episode_key,
        sum(cycles_until_surgery) as perhaps_cycles
    from pertuzumab_doses
    where in_running_course and begins
    group by episode_key
),

-- The days as they are unfolded, and those of them that are sure.
days as (
    select
        episode_key,
        'unfolded' as basis,
        dose_date,
        pertuzumab_derived as derived
    from before_surgery
    where has_pertuzumab
    union all
    select
        episode_key,
        'sure' as basis,
        dose_date,
        bool_or(in_ended_course) as derived
    from pertuzumab_doses
    where begins or not in_running_course
    group by
        episode_key,
        dose_date
),

spaced as (
    select
        *,
        date_diff(
            'day', lag(dose_date) over (partition by episode_key, basis order by dose_date), dose_date
        ) as days_since
    from days
),

numbered as (
    select
        *,
        sum(case when derived or days_since >= $merge_days then 1 else 0 end) over (
            partition by episode_key, basis
            order by dose_date
            rows between unbounded preceding and current row
        ) as run_number
    from spaced
),

runs as (
    select
        episode_key,
        basis,
        run_number,
        1 + cast(floor(date_diff('day', min(dose_date), max(dose_date)) / $merge_days) as integer) as cycles
    from numbered
    group by
        episode_key,
        basis,
        run_number
),

counted as (
    select
        episode_key,
        sum(cycles) filter (where basis = 'unfolded') as cycles,
        sum(cycles) filter (where basis = 'sure') as sure_cycles
    from runs
    group by episode_key
),

taxanes as (
    select
        c.episode_key,
        list_sort(list(distinct cast(x.dose_date as varchar))) as taxane_days
    from courses as c
    inner join fct_cytotoxic_days as x on c.episode_key = x.episode_key
    where c.pathway = 'neoadjuvant' and x.is_taxane and x.setting = 'curative' and x.dose_date < c.before_date
    group by c.episode_key
),

other_reasons as (
    select
        c.episode_key,
        min(s.first_progression_stop_date) as first_progression_stop_date
    from courses as c
    inner join fct_drug_spans as s on c.episode_key = s.episode_key
    where s.setting = 'curative'
    group by c.episode_key
),

toxicities as (
    select
        a.episode_key,
        min(e.reason) as reason
    from antibodies as a
    inner join courses as c on a.episode_key = c.episode_key
    inner join fct_toxicity_stops as e on c.episode_key = e.episode_key
    where e.event_date >= a.first_pertuzumab_date and e.event_date < c.before_date
    group by a.episode_key
),

judged as (
    select
        c.*,
        coalesce(a.has_trastuzumab, false) as has_trastuzumab,
        a.first_pertuzumab_date,
        a.cycles_not_counted,
        a.derived,
        a.pertuzumab_days,
        x.taxane_days,
        n.cycles,
        n.cycles < $min_cycles as too_few,
        n.cycles > $max_cycles and w.episode_key is not null as perhaps_fewer,
        n.cycles not between $min_cycles and $max_cycles
        and n.sure_cycles <= $max_cycles
        and n.sure_cycles + r.perhaps_cycles >= $min_cycles as not_dated,
        coalesce(y.first_trial_date < c.before_date, false) as in_trial,
        coalesce(
            a.pertuzumab_stop,
            a.trastuzumab_stop,
            case when o.first_progression_stop_date < c.before_date then 'progression' end,
            v.reason
        ) as stop_reason
    from courses as c
    left join antibodies as a on c.episode_key = a.episode_key
    left join counted as n on c.episode_key = n.episode_key
    left join recorded_twice as w on c.episode_key = w.episode_key
    left join running as r on c.episode_key = r.episode_key
    left join taxanes as x on c.episode_key = x.episode_key
    left join other_reasons as o on c.episode_key = o.episode_key
    left join fct_first_trials as y on c.episode_key = y.episode_key
    left join toxicities as v on c.episode_key = v.episode_key
)

select
    'neoadjuvant' as subject_part,
    patient_key,
    tumour_id,
    site_id,
    episode_key,
    first_pertuzumab_date as decision_date,
    first_surgery_date as due_date,
    case when too_few then first_pertuzumab_date end as clock_start,
    coalesce(diagnosis_date, date '0001-01-01') as observed_from,
    date '0001-01-01' as drugs_from,
    case when too_few then first_surgery_date end as drugs_through,
    first_surgery_date - 1 as localised_through,
    case
        when outside_early_her2 is not null then outside_early_her2
        when pathway <> 'neoadjuvant' then 'not-neoadjuvant'
        when first_surgery_date is null and not surgery_unclear then 'no-surgery'
        when not has_trastuzumab then 'no-trastuzumab'
        when first_pertuzumab_date is null then 'no-pertuzumab'
    end as excluded,
    case
        when first_surgery_date is null then 'surgery-unclear'
        when cycles_not_counted then 'no-end-date'
        when perhaps_fewer then 'recorded-twice'
        when not_dated then 'doses-not-dated'
    end as missing_reason,
    case missing_reason
        when 'surgery-unclear' then unclear_columns
        when 'recorded-twice' then ['treatments.record_kind']
        when 'doses-not-dated' then ['treatments.start_date']
        else ['treatments.end_date']
    end as missing,
    case when cycles between $min_cycles and $max_cycles then 'three-to-six-cycles' end as met,
    case
        when in_trial then 'trial'
        when too_few then stop_reason
    end as excepted,
    case
        when too_few then ['fewer']
        when cycles <= $max_extended_cycles then ['extended']
        else ['beyond']
    end as lacking,
    case when too_few then 'too-few-cycles' else 'too-many-cycles' end as failed,
    case when excluded is null then to_json(struct_pack(
        pertuzumab_dates := pertuzumab_days,
        pertuzumab_cycles := cycles,
        derived_from_course_dates := derived,
        taxane_dates := taxane_days,
        first_surgery_date := first_surgery_date,
        recorded_stop_reason := stop_reason,
        her2_basis := her2_basis
    )) end as evidence
from judged

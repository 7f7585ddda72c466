-- Endocrine therapy of early disease waits for the end of chemotherapy.
-- denominator: index tumours, HER2-positive, M0, ER- or PR-positive, with both in the first course of treatment.
with population as (
    select
        t.*,
        h.hr_status
    from fct_tumours as t
    inner join fct_hormone_receptors as h on t.patient_key = h.patient_key and t.tumour_id = h.tumour_id
    where t.is_index
),

chemotherapies as (
    select
        episode_key,
        min(dose_date) as first_chemotherapy_date,
        max(dose_date) as last_chemotherapy_date,
        max(exposed_through) as exposed_through,
        bool_or(open_course) as open_course,
        -- A regimen's name that stands once: for how many cycles is not recorded.
        bool_or(is_regimen) and min(dose_date) = max(dose_date) as named_once,
        bool_or(in_trial) as in_trial
    from fct_first_course_chemotherapy
    group by episode_key
),

endocrine as (
    select e.*
    from population as p
    inner join fct_endocrine as e on p.episode_key = e.episode_key
    where not e.palliative and not e.on_recurrence and e.through_date >= coalesce(p.diagnosis_date, e.through_date)
),

therapies as (
    select
        episode_key,
        min(start_date) as first_endocrine_date,
        max(through_date) as last_endocrine_date,
        list_sort(list(distinct ingredient)) as drugs,
        bool_or(open_course) as open_course,
        bool_or(in_trial) as in_trial
    from endocrine
    group by episode_key
),

-- Only what meets the days of chemotherapy at all. Shown are rows with an end, and dispensings from the first
-- chemotherapy on; possible is every row, an open course to the end of chemotherapy.
meeting as (
    select
        e.episode_key,
        e.start_date,
        e.through_date,
        case when e.open_course then greatest(e.through_date, c.exposed_through) else e.through_date end
            as possible_through,
        e.end_recorded or (e.start_date >= c.first_chemotherapy_date and not e.open_course) as is_shown,
        c.first_chemotherapy_date
    from endocrine as e
    inner join chemotherapies as c on e.episode_key = c.episode_key
    where e.start_date <= c.exposed_through
),

readings as (
    select
        'shown' as reading,
        episode_key,
        start_date,
        through_date
    from meeting
    where is_shown
    union all
    select
        'possible' as reading,
        episode_key,
        start_date,
        possible_through as through_date
    from meeting
    where possible_through >= first_chemotherapy_date
),

episodes_meeting as (
    select distinct episode_key
    from readings
),

endocrine_reached as (
    select
        *,
        max(through_date) over (
            partition by reading, episode_key
            order by start_date, through_date
            rows between unbounded preceding and 1 preceding
        ) as reached_before
    from readings
),

endocrine_pieces as (
    select
        reading,
        episode_key,
        greatest(start_date, coalesce(reached_before + 1, start_date)) as from_date,
        through_date
    from endocrine_reached
),

chemotherapy_reached as (
    select
        c.episode_key,
        c.dose_date,
        c.exposed_through,
        max(c.exposed_through) over (
            partition by c.episode_key
            order by c.dose_date, c.exposed_through
            rows between unbounded preceding and 1 preceding
        ) as reached_before
    from fct_first_course_chemotherapy as c
    inner join episodes_meeting as m on c.episode_key = m.episode_key
),

chemotherapy_pieces as (
    select
        episode_key,
        greatest(dose_date, coalesce(reached_before + 1, dose_date)) as from_date,
        exposed_through as through_date
    from chemotherapy_reached
),

days_of_both as (
    select
        e.episode_key,
        sum(
            date_diff('day', greatest(e.from_date, c.from_date), least(e.through_date, c.through_date)) + 1
        ) filter (where e.reading = 'shown') as shown_days,
        sum(
            date_diff('day', greatest(e.from_date, c.from_date), least(e.through_date, c.through_date)) + 1
        ) filter (where e.reading = 'possible') as possible_days
    from endocrine_pieces as e
    inner join chemotherapy_pieces as c
        on
            e.episode_key = c.episode_key
            and e.from_date <= c.through_date
            and e.through_date >= c.from_date
    where e.from_date <= e.through_date and c.from_date <= c.through_date
    group by e.episode_key
),

judged as (
    select
        p.*,
        c.first_chemotherapy_date,
        c.last_chemotherapy_date,
        c.exposed_through,
        e.first_endocrine_date,
        e.last_endocrine_date,
        e.drugs,
        c.open_course as chemotherapy_open,
        c.named_once,
        -- Endocrine therapy that ended before the last known chemotherapy met all there is to meet.
        e.open_course or e.last_endocrine_date >= c.last_chemotherapy_date as goes_on,
        c.in_trial or e.in_trial as in_trial,
        coalesce(o.shown_days, 0) as shown_days,
        coalesce(o.possible_days, 0) as possible_days
    from population as p
    left join chemotherapies as c on p.episode_key = c.episode_key
    left join therapies as e on p.episode_key = e.episode_key
    left join days_of_both as o on p.episode_key = o.episode_key
)

select
    patient_key,
    tumour_id,
    site_id,
    episode_key,
    first_endocrine_date as decision_date,
    first_chemotherapy_date as observed_from,
    case
        when outside_early_her2 is not null then outside_early_her2
        when hr_status = 'negative' then 'hr-negative'
        when first_chemotherapy_date is null then 'no-chemotherapy'
        when first_endocrine_date is null then 'no-endocrine'
    end as excluded,
    case
        when hr_status = 'unknown' then 'hr-unknown'
        when named_once and goes_on then 'no-end-date'
        when shown_days > $max_overlap_days then null
        when possible_days > $max_overlap_days or (chemotherapy_open and goes_on) then 'no-end-date'
    end as missing_reason,
    case missing_reason
        when 'hr-unknown' then ['tumours.er_status', 'tumours.pr_status']
        when 'no-end-date' then ['treatments.end_date']
    end as missing,
    case
        when shown_days > $max_overlap_days then null
        when possible_days = 0 then 'apart'
        else 'within-tolerance'
    end as met,
    case when in_trial then 'trial' end as excepted,
    ['sequence'] as lacking,
    'endocrine-during-chemotherapy' as failed,
    $max_overlap_days
    - case when shown_days > $max_overlap_days then shown_days else possible_days end as margin_days,
    case when excluded is null then to_json(struct_pack(
        first_chemotherapy_date := first_chemotherapy_date,
        last_chemotherapy_date := last_chemotherapy_date,
        chemotherapy_counts_through := exposed_through,
        first_endocrine_date := first_endocrine_date,
        endocrine_counts_through := last_endocrine_date,
        drugs := array_to_string(drugs, ', '),
        days_of_both := case when shown_days > $max_overlap_days then shown_days else possible_days end,
        her2_basis := her2_basis
    )) end as evidence
from judged

-- Extended adjuvant neratinib follows the HER2 antibody or conjugate, alone and in time.
-- denominator: episodes, HER2-positive, M0, neratinib in curative setting, not with capecitabine and not in a trial.
with with_neratinib as (
    select distinct episode_key
    from fct_drug_spans
    where ingredient = 'neratinib'
),

days as (
    select distinct
        d.patient_key,
        d.episode_key,
        d.ingredient,
        d.dose_date,
        d.open_course,
        d.in_trial,
        d.stop_reason,
        i.is_her2_antibody or i.is_her2_conjugate as is_anchor,
        coalesce(d.dose_date < t.recurrence_date, true) as before_recurrence
    from fct_doses as d
    inner join with_neratinib as w on d.episode_key = w.episode_key
    inner join ingredients as i on d.ingredient = i.ingredient
    inner join fct_tumours as t on d.episode_key = t.episode_key and t.is_index
    where d.setting = 'curative' and i.is_her2
),

neratinib_days as (
    select
        *,
        lead(dose_date) over (partition by episode_key order by dose_date) as next_date
    from days
    where ingredient = 'neratinib'
),

-- Between two recorded days of neratinib that are no further apart than a course's gap it went on.
neratinib_stretches as (
    select
        episode_key,
        dose_date as from_date,
        case when date_diff('day', dose_date, next_date) <= $course_gap_days then next_date else dose_date end
            as through_date
    from neratinib_days
),

neratinib as (
    select
        patient_key,
        episode_key,
        min(dose_date) as first_date,
        max(dose_date) as last_date,
        -- What is given after a recurrence is another treatment.
        max(dose_date) filter (where before_recurrence) as last_adjuvant_date,
        bool_or(open_course) as is_open,
        bool_or(in_trial and before_recurrence) as in_trial,
        max(stop_reason) as stop_reason
    from neratinib_days
    group by
        patient_key,
        episode_key
),

anchors as (
    select
        n.episode_key,
        max(d.dose_date) as anchor_date,
        max(d.dose_date) filter (where d.ingredient = 'trastuzumab-emtansine') as emtansine_date,
        max(d.dose_date) filter (where d.ingredient = 'pertuzumab') as pertuzumab_date,
        bool_or(d.open_course) as is_open,
        max(d.dose_date) filter (where d.open_course) as open_from
    from neratinib as n
    inner join days as d on n.episode_key = d.episode_key
    where d.is_anchor and d.dose_date < n.first_date
    group by n.episode_key
),

parallel as (
    select
        n.episode_key,
        min(d.dose_date) as parallel_date
    from neratinib_stretches as n
    inner join days as d on n.episode_key = d.episode_key
    where
        d.ingredient <> 'neratinib'
        and d.dose_date between n.from_date and n.through_date
        and d.before_recurrence
    group by n.episode_key
),

-- A drug that begins, or goes on, after an open course of neratinib may have been given beside it.
beside_open as (
    select distinct n.episode_key
    from neratinib as n
    inner join days as d on n.episode_key = d.episode_key
    where n.is_open and d.ingredient <> 'neratinib' and d.dose_date > n.first_date
),

with_capecitabine as (
    select distinct n.episode_key
    from neratinib as n
    inner join fct_cytotoxic_days as c on n.episode_key = c.episode_key
    where c.ingredient = 'capecitabine' and c.exposed_through >= n.first_date and c.dose_date <= n.last_adjuvant_date
),

documented_trials as (
    select distinct episode_key
    from fct_documented_trials
    where
        topic_name in ('neratinib-extended-adjuvant-sequence', 'neratinib', 'her2-tki', 'her2')
),

judged as (
    select
        t.*,
        p.observable_through,
        n.first_date,
        n.last_date,
        n.is_open,
        n.stop_reason,
        n.in_trial or r.episode_key is not null as in_trial,
        a.anchor_date,
        a.emtansine_date,
        a.pertuzumab_date,
        a.is_open as any_anchor_open,
        a.open_from = a.anchor_date as last_anchor_open,
        x.parallel_date,
        b.episode_key is not null as may_be_parallel,
        c.episode_key is not null as has_capecitabine,
        date_diff('day', a.anchor_date, n.first_date) as days_after,
        date_diff('day', n.first_date, n.last_date) as duration_days,
        case when $jurisdiction = 'US' then $start_max_days_us else $start_max_days_eu end as start_max_days
    from fct_tumours as t
    inner join stg_patients as p on t.patient_key = p.patient_key
    left join neratinib as n on t.episode_key = n.episode_key
    left join anchors as a on t.episode_key = a.episode_key
    left join parallel as x on t.episode_key = x.episode_key
    left join beside_open as b on t.episode_key = b.episode_key
    left join with_capecitabine as c on t.episode_key = c.episode_key
    left join documented_trials as r on t.episode_key = r.episode_key
    where t.is_index
)

select
    'neratinib' as subject_part,
    patient_key,
    tumour_id,
    site_id,
    episode_key,
    first_date as decision_date,
    anchor_date + start_max_days as due_date,
    coalesce(parallel_date, first_date) as open_until,
    case when parallel_date is null then anchor_date end as observed_from,
    case when parallel_date is null then first_date end as drugs_through,
    case
        when outside_early_her2 is not null then outside_early_her2
        when first_date is null then 'no-neratinib'
        when first_date >= recurrence_date then 'after-recurrence'
        when has_capecitabine then 'with-capecitabine'
        when in_trial then 'trial'
    end as excluded,
    case
        when parallel_date is not null then null
        when anchor_date is null then 'antibody-end-missing'
        when may_be_parallel or last_anchor_open then 'no-end-date'
        when any_anchor_open and days_after > start_max_days then 'no-end-date'
    end as missing_reason,
    case missing_reason
        when 'antibody-end-missing' then ['treatments.start_date']
        when 'no-end-date' then ['treatments.end_date']
    end as missing,
    case
        when parallel_date is not null or days_after > start_max_days then null
        when not is_open and duration_days > $expected_days + $expected_tolerance_days then 'in-sequence-long'
        when
            not is_open
            and duration_days < $expected_days - $expected_tolerance_days
            and date_diff('day', last_date, observable_through) > $course_gap_days then 'in-sequence-short'
        else 'in-sequence'
    end as met,
    case when parallel_date is null then ['start'] else [] end as lacking,
    case when parallel_date is not null then 'her2-drug-in-parallel' else 'started-late' end as failed,
    start_max_days - days_after as margin_days,
    case when excluded is null then to_json(struct_pack(
        last_antibody_or_conjugate_date := anchor_date,
        last_emtansine_date := emtansine_date,
        last_pertuzumab_date := pertuzumab_date,
        first_neratinib_date := first_date,
        last_neratinib_date := last_date,
        neratinib_days_from_first_to_last := duration_days,
        recorded_stop_reason := stop_reason,
        first_parallel_her2_date := parallel_date,
        er_status := er_status,
        pr_status := pr_status,
        her2_basis := her2_basis
    )) end as evidence
from judged

-- Neoadjuvant treatment of stage II-III HER2-positive cancer with HER2 antibodies is built on a taxane.
-- denominator: neoadjuvant courses with two days or more of a HER2 antibody, HER2-positive, M0, stage II-III.
with neoadjuvant as (
    select
        t.*,
        case
            when t.pathway = 'neoadjuvant' then coalesce(t.first_surgery_date, t.recurrence_date, date '9999-12-31')
        end as before_date,
        case
            when t.node_positive or t.inflammatory then true
            when t.exactly_20_mm and $size = '20-mm-or-more' then true
            when t.over_20_mm and not coalesce(t.exactly_20_mm, false) then true
            when (t.exactly_20_mm or not t.over_20_mm) and not t.node_positive then false
        end as in_scope
    from fct_tumours as t
    where t.is_index
),

treated_before as (
    select
        episode_key,
        before_date
    from neoadjuvant
    where pathway = 'neoadjuvant'
),

drug_days as (
    select
        n.episode_key,
        d.ingredient,
        d.dose_date,
        bool_or(d.open_course) as is_open,
        bool_or(d.is_regimen) as is_regimen,
        bool_or(d.in_sequence) as in_sequence
    from treated_before as n
    inner join fct_doses as d on n.episode_key = d.episode_key
    where d.setting = 'curative' and d.dose_date < n.before_date
    group by
        n.episode_key,
        d.ingredient,
        d.dose_date
),

drugs_given as (
    select
        episode_key,
        ingredient,
        count(*) as days,
        min(dose_date) as first_date,
        max(dose_date) as last_date,
        bool_or(is_open) as is_open,
        bool_or(is_regimen) as is_regimen,
        bool_or(in_sequence) as in_sequence
    from drug_days
    group by
        episode_key,
        ingredient
),

drugs as (
    select
        g.*,
        i.is_her2_antibody,
        i.is_taxane,
        i.is_anthracycline,
        i.is_cytotoxic
    from drugs_given as g
    inner join ingredients as i on g.ingredient = i.ingredient
    where i.is_her2 or i.is_cytotoxic
),

courses as (
    select
        episode_key,
        min(first_date) as first_date,
        max(days) filter (where is_her2_antibody) as antibody_days,
        bool_or(is_her2_antibody and (is_open or is_regimen)) as antibody_not_counted,
        bool_or(is_cytotoxic) as has_chemotherapy,
        min(first_date) filter (where is_taxane) as taxane_date,
        min(first_date) filter (where is_anthracycline) as anthracycline_date,
        bool_or(is_taxane and in_sequence) as in_sequence,
        min(first_date) filter (where ingredient = 'cyclophosphamide') as cyclophosphamide_date,
        min(first_date) filter (where ingredient = 'trastuzumab-deruxtecan') as deruxtecan_date,
        list_sort(list(
            ingredient || ' on ' || cast(days as varchar) || ' days, ' || cast(first_date as varchar) || ' to '
            || cast(last_date as varchar)
        )) as drugs_before_surgery
    from drugs
    group by episode_key
),

with_carboplatin as (
    select distinct n.episode_key
    from treated_before as n
    inner join fct_cytotoxic_days as a on n.episode_key = a.episode_key
    inner join fct_cytotoxic_days as c on n.episode_key = c.episode_key
    where
        a.is_taxane
        and a.dose_date < n.before_date
        and c.ingredient = 'carboplatin'
        and abs(date_diff('day', a.dose_date, c.dose_date)) <= $same_cycle_days
),

later_anthracyclines as (
    select
        n.episode_key,
        min(c.dose_date) as anthracycline_after_surgery
    from neoadjuvant as n
    inner join fct_cytotoxic_days as c on n.episode_key = c.episode_key
    where
        c.is_anthracycline
        and c.dose_date > n.first_surgery_date
        and c.dose_date < coalesce(n.recurrence_date, date '9999-12-31')
    group by n.episode_key
),

judged as (
    select
        n.*,
        c.first_date,
        coalesce(c.antibody_days, 0) as antibody_days,
        c.antibody_not_counted,
        c.has_chemotherapy,
        c.taxane_date,
        l.anthracycline_after_surgery,
        y.first_trial_date < n.before_date as in_trial,
        c.drugs_before_surgery,
        case
            when c.taxane_date is null then null
            when p.episode_key is not null then 'taxane with carboplatin'
            when
                c.in_sequence
                or (c.anthracycline_date < c.taxane_date and c.cyclophosphamide_date < c.taxane_date)
                then 'anthracycline with cyclophosphamide, then taxane'
            when c.anthracycline_date is null and l.anthracycline_after_surgery is not null
                then 'taxane, anthracycline after surgery'
            when c.deruxtecan_date < c.taxane_date and c.deruxtecan_date >= $deruxtecan_accepted_from
                then 'trastuzumab deruxtecan, then taxane'
        end as listed_backbone,
        coalesce(n.first_surgery_date, n.last_curative_date + $open_course_days) as course_end
    from neoadjuvant as n
    left join courses as c on n.episode_key = c.episode_key
    left join with_carboplatin as p on n.episode_key = p.episode_key
    left join later_anthracyclines as l on n.episode_key = l.episode_key
    left join fct_first_trials as y on n.episode_key = y.episode_key
)

select
    'neoadjuvant' as subject_part,
    patient_key,
    tumour_id,
    site_id,
    episode_key,
    case when has_chemotherapy then 'default' else 'chemotherapy-free' end as edition,
    first_date as decision_date,
    course_end as due_date,
    first_date as clock_start,
    coalesce(diagnosis_date, date '0001-01-01') as observed_from,
    date '0001-01-01' as drugs_from,
    course_end as drugs_through,
    case
        when outside_early_her2 is not null then outside_early_her2
        when pathway <> 'neoadjuvant' then 'not-neoadjuvant'
        when antibody_days = 0 then 'no-antibody'
        when not in_scope then 'stage-i'
        when antibody_days < $min_antibody_days and not antibody_not_counted then 'short-course'
    end as excluded,
    case
        when in_scope is null then 'stage-unknown'
        when antibody_days < $min_antibody_days and taxane_date is null then 'no-end-date'
    end as missing_reason,
    case
        when in_scope is not null then ['treatments.end_date']
        when t is null and size_mm is null and node_positive is null then ['tumours.clinical_t', 'tumours.clinical_n']
        when node_positive is null then ['tumours.clinical_n']
        else ['tumours.clinical_t']
    end as missing,
    case
        when listed_backbone is not null then 'recommended'
        when taxane_date is not null then 'taxane-based-other'
    end as met,
    case when in_trial then 'trial' end as excepted,
    ['taxane'] as lacking,
    case when has_chemotherapy then 'no-taxane' else 'chemotherapy-free' end as failed,
    case when excluded is null then to_json(struct_pack(
        drugs_before_surgery := drugs_before_surgery,
        listed_backbone := listed_backbone,
        first_anthracycline_date_after_surgery := anthracycline_after_surgery,
        first_surgery_date := first_surgery_date,
        t := t,
        n := n,
        her2_basis := her2_basis
    )) end as evidence
from judged
